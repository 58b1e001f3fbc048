"""Agents of the catalogue ask before each turn, and are blocked where a budget stops."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from agents.models import Provider, Task
from agents.runtime.providers import model_of
from agents.services.working import work_queued_task
from kernel.clock import system_clock
from tests.agents import agent_tools
from tests.agents.openai_server import OpenAiServer
from tests.api import Api
from tests.budgets.conftest import evaluate

pytestmark = pytest.mark.django_db(transaction=True)

Make = Callable[..., Any]


@pytest.fixture(autouse=True)
def _tools(settings: Any) -> None:
    settings.AGENT_MODULES = ["tests.agents.agent_tools"]
    agent_tools.USED.clear()


@pytest.fixture
def cap(budget: Make) -> None:
    """No more than two turns for acme."""
    budget(2, period="total", scope="customer", customer="acme", key="cap")


def work(api: Api, server: OpenAiServer) -> Task:
    Provider.objects.update_or_create(
        key="vllm",
        defaults={"name": "vLLM", "address": server.address, "api_key_name": "VLLM", "has_log_probabilities": True},
    )
    told = {"goal": "settle", "provider": "vllm", "model": "tiny", "tools": ["refund"]}
    assert api.post("agents", {"key": "support", "version": "3", "definition": told}).status_code == 201
    asked = {"agent": "support", "customer": "acme", "task_id": "t", "input": "Hello"}
    assert api.post("tasks", asked).status_code == 202
    assert work_queued_task(task_pk=Task.objects.get().pk, models=model_of, clock=system_clock)
    return Task.objects.get()


@pytest.mark.usefixtures("cap")
def test_a_task_within_its_budget_is_worked(vendor: Api) -> None:
    with OpenAiServer({"tool": "refund", "amount": 20}, {"tool": "done"}) as server:
        task = work(vendor, server)
    assert (task.outcome, task.problem) == ("succeeded", "")


@pytest.mark.usefixtures("cap")
def test_a_task_without_any_budget_left_is_blocked_before_its_first_turn(vendor: Api, turns: Make) -> None:
    turns("acme", 2)
    evaluate(system_clock())
    with OpenAiServer({"tool": "done"}) as server:
        task = work(vendor, server)
    assert (task.state, task.outcome) == ("ended", "blocked")
    assert task.problem == "budget_stopped: The budget cap is used up"
    assert (server.requests, agent_tools.USED) == ([], [])
    [event] = vendor.get("events", task_id="t").json()["data"]
    assert (event["type"], event["data"]["outcome"]) == ("agent.task", "blocked")


@pytest.mark.usefixtures("cap")
def test_a_task_whose_budget_is_used_up_meanwhile_is_blocked_before_the_next_turn(vendor: Api, turns: Make) -> None:
    def meanwhile(_: dict[str, Any]) -> dict[str, Any]:
        turns("acme", 2)
        evaluate(system_clock())
        return {"tool": "refund", "amount": 20}

    with OpenAiServer(meanwhile) as server:
        task = work(vendor, server)
    assert (task.outcome, len(server.requests), len(agent_tools.USED)) == ("blocked", 1, 1)
