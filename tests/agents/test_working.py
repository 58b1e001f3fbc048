"""Tasks given to the runtime: over any OpenAI-compatible address, within limits, billed once whatever breaks."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection
from django.test import Client

from accounts.facade import create_api_key
from agents.domain.probability import probability_of
from agents.facade import set_up_organization
from agents.models import CostRate, Provider, Task, TaskAttempt, TaskState
from agents.runtime.model import HttpModelClient
from agents.runtime.providers import model_of
from agents.services.working import Models, due_tasks, work_queued_task
from metering.facade import EventQuestion, list_events
from tests.agents import agent_tools
from tests.agents.openai_server import OpenAiServer
from tests.api import Api

NOW = datetime(2026, 11, 2, 12, tzinfo=UTC)
SPAN = {"from": "2026-01-01T00:00:00Z", "to": "2028-01-01T00:00:00Z"}
REFUND = {"tool": "refund", "amount": 20}
DONE = {"tool": "done"}


class Clock:
    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture(autouse=True)
def _tools(settings: Any) -> None:
    settings.AGENT_MODULES = ["tests.agents.agent_tools"]
    agent_tools.USED.clear()


@pytest.fixture
def api(transactional_db: None) -> Api:
    organization = set_up_organization(name="Vendor")
    _, secret = create_api_key(organization=organization, scopes=["admin"])
    api = Api(organization, Client(headers={"authorization": f"Bearer {secret}"}))
    api.customer("acme")
    return api


def an_agent(api: Api, server: OpenAiServer, **definition: Any) -> None:
    Provider.objects.update_or_create(
        key="vllm",
        defaults={"name": "vLLM", "address": server.address, "api_key_name": "VLLM", "has_log_probabilities": True},
    )
    told = {"goal": "settle", "provider": "vllm", "model": "tiny", "tools": ["refund"], **definition}
    answer = api.post("agents", {"key": "support", "version": "3", "definition": told})
    assert answer.status_code == 201, answer.content


def give(api: Api, task_id: str = "ticket-1") -> dict[str, Any]:
    answer = api.post("tasks", {"agent": "support", "customer": "acme", "task_id": task_id, "input": {"text": "Hello"}})
    assert answer.status_code == 202, answer.content
    Task.objects.update(due_at=NOW)
    return answer.json()


def work(clock: Clock | None = None, models: Models = model_of) -> None:
    clock = clock or Clock()
    for task_pk in due_tasks(now=clock()):
        work_queued_task(task_pk=task_pk, models=models, clock=clock)


def usage(api: Api, meter: str) -> str:
    data = api.get(f"meters/{meter}/usage", **SPAN, customer="acme").json()["data"]
    return data[0]["quantity"] if data else "0"


def test_the_same_agent_works_over_any_openai_compatible_address_and_is_metered(api, monkeypatch):
    monkeypatch.setenv("TAXIMETER_PROVIDER_KEY_VLLM", "the key")
    CostRate.objects.create(provider="vllm", input_per_million=10, cached_input_per_million=1, output_per_million=20,
                            effective_from=datetime(2026, 1, 1, tzinfo=UTC))  # fmt: skip
    with OpenAiServer(REFUND, DONE) as server:
        an_agent(api, server, check="is_refunded")
        assert give(api)["state"] == "queued"
        work()
    assert agent_tools.USED == [("acme", 20)]
    assert server.keys[0] == "Bearer the key"
    assert [one["content"] for one in server.requests[1]["messages"]][1:] == [
        '{"tool":"refund","amount":20}', "refund: 20 given back",
    ]  # fmt: skip
    task = api.get("tasks/ticket-1").json()
    assert (task["outcome"], task["outcome_source"], task["run"]["state"]) == ("succeeded", "check", "ended")
    assert (task["turns"], task["decisions"], task["agent"], task["agent_version"]) == (2, 2, "support", "3")
    # Two calls of 60 x 10 + 40 x 1 + 10 x 20 millionths.
    assert task["cost"] == {"amount": "0.00168", "currency": "USD", "unpriced_calls": 0}
    decision = task["tree"][0]["children"][1]
    assert (decision["choice"], decision["options"]) == ("refund", ["refund", "done", "give_up", "ask_person"])
    assert Decimal("0.6") < Decimal(decision["probability"]) < 1
    assert (usage(api, "succeeded_tasks"), usage(api, "turns"), usage(api, "cost")) == ("1", "2", "0.00168")


def test_the_check_has_the_last_word(api):
    with OpenAiServer(DONE) as server:
        an_agent(api, server, check="is_refunded")
        give(api)
        work()
    task = api.get("tasks/ticket-1").json()
    assert (task["outcome"], task["outcome_source"], usage(api, "succeeded_tasks")) == ("failed", "check", "0")


@pytest.mark.parametrize(
    ("limits", "outcome", "turns"),
    [({"max_turns": 3}, "failed", 3), ({"max_seconds": 60}, "timed_out", 2), ({"max_cost": "0.002"}, "failed", 2)],
)
def test_a_task_ends_at_its_limits(api, limits, outcome, turns):
    clock = Clock()
    CostRate.objects.create(provider="vllm", output_per_million=100, effective_from=datetime(2026, 1, 1, tzinfo=UTC))

    def later(_: dict[str, Any]) -> dict[str, Any]:
        clock.now += timedelta(seconds=30)
        return REFUND

    with OpenAiServer(later) as server:
        an_agent(api, server, **limits)
        give(api)
        work(clock)
    task = Task.objects.get()
    assert (task.outcome, task.problem) == (
        outcome,
        f"the limit of {next(iter(limits)).removeprefix('max_')} was reached",
    )
    assert api.get("tasks/ticket-1").json()["turns"] == turns


def test_an_attempt_that_the_platform_breaks_off_is_visible_costs_and_bills_nothing(api):
    clock = Clock()
    CostRate.objects.create(provider="vllm", output_per_million=100, effective_from=datetime(2026, 1, 1, tzinfo=UTC))
    with OpenAiServer(REFUND, *[503] * 5, REFUND, DONE) as server:

        def impatient(_: Any) -> HttpModelClient:
            return HttpModelClient(address=server.address, model="tiny", provider="vllm", sleep=lambda _: None)

        an_agent(api, server)
        give(api)
        work(clock, impatient)  # the model is gone in its second turn
        assert (Task.objects.get().state, len(agent_tools.USED)) == (TaskState.QUEUED, 1)
        work(clock, impatient)
        assert Task.objects.get().attempts.count() == 1  # not again before the pause is over
        clock.now += timedelta(seconds=5)
        work(clock, impatient)
    task = api.get("tasks/ticket-1").json()
    assert (task["outcome"], task["attempts"], task["turns"], task["decisions"]) == ("succeeded", 2, 2, 2)
    assert [(one["number"], one["state"], one["problem"]) for one in task["run"]["attempts"]] == [
        (1, "discarded", "model_unavailable"), (2, "finished", None),
    ]  # fmt: skip
    assert [turn.get("discarded", False) for turn in task["tree"]] == [True, False, False]
    # Three calls were paid for, two turns and one success are billed.
    assert task["cost"]["amount"] == "0.003"
    billed = ("turns", "decisions", "tool_calls", "succeeded_tasks", "output_tokens")
    assert [usage(api, meter) for meter in billed] == ["2", "2", "2", "1", "20"]
    assert usage(api, "cost") == "0.003"


def test_a_task_ends_when_its_attempts_are_used_up_and_nothing_of_it_is_billed(api):
    clock = Clock()
    with OpenAiServer(400) as server:
        an_agent(api, server)
        give(api)
        work(clock)
    task = api.get("tasks/ticket-1").json()
    assert (task["outcome"], task["run"]["problem"], usage(api, "turns")) == ("failed", "model_refused", "0")

    with OpenAiServer(DONE) as server:
        Provider.objects.update(address=server.address)
        give(api, "ticket-2")
        version = Task.objects.get(task_id="ticket-2").agent_version
        for number in (1, 2, 3):
            TaskAttempt.objects.create(
                task=Task.objects.get(task_id="ticket-2"), number=number, started_at=NOW,
                events=[{"id": f"x{number}", "source": "taximeter/runtime", "specversion": "1.0", "type": "agent.turn",
                         "subject": "acme", "data": {"task_id": "ticket-2", "agent": version.agent.key}}],
            )  # fmt: skip
        work(clock)
    task = api.get("tasks/ticket-2").json()
    assert (task["outcome"], task["run"]["problem"], task["attempts"], task["turns"]) == (
        "failed",
        "attempts_exhausted",
        3,
        0,
    )
    assert len([node for node in task["tree"] if node.get("discarded")]) == 3
    assert usage(api, "turns") == "0"


def test_a_finished_task_is_never_worked_or_recorded_again(api):
    with OpenAiServer(DONE) as server:
        an_agent(api, server)
        give(api)
        work()
        before, _ = list_events(EventQuestion(organization_id=api.organization.pk), limit=100)
        give(api)
        assert work_queued_task(task_pk=Task.objects.get().pk, models=model_of, clock=Clock()) is False
    after, _ = list_events(EventQuestion(organization_id=api.organization.pk), limit=100)
    assert [one.id for one in before] == [one.id for one in after]
    other = api.post("tasks", {"agent": "support", "customer": "zen", "task_id": "ticket-1"})
    assert (other.status_code, other.json()["code"]) == (409, "task_exists")


def test_a_task_cancelled_while_it_is_worked_keeps_that_outcome(api):
    def cancel(_: dict[str, Any]) -> dict[str, Any]:
        assert api.post("tasks/ticket-1/outcome", {"outcome": "failed"}).status_code == 409
        assert api.post("tasks/ticket-1/outcome", {"outcome": "cancelled"}).status_code == 200
        connection.close()  # this thread's
        return DONE

    with OpenAiServer(cancel) as server:
        an_agent(api, server)
        give(api)
        work()
    task = api.get("tasks/ticket-1").json()
    assert (task["outcome"], task["run"]["outcome"], task["run"]["attempts"][0]["state"]) == (
        "cancelled",
        "cancelled",
        "discarded",
    )
    assert (usage(api, "turns"), usage(api, "succeeded_tasks")) == ("0", "0")


def test_definitions_that_cannot_be_run_are_refused_with_the_reason(api):
    bad = {"goal": "g", "tools": ["rm"], "max_turns": 0, "max_cost": "-1", "check": "x", "surprise": 1}
    answer = api.post("agents", {"key": "a", "definition": bad})
    assert answer.status_code == 422
    assert {one["pointer"] for one in answer.json()["errors"]} == {
        "/definition/tools", "/definition/max_turns", "/definition/max_cost", "/definition/check",
        "/definition/surprise",
    }  # fmt: skip
    assert api.post("agents", {"key": "a", "definition": {"goal": "g", "provider": "nowhere"}}).status_code == 422
    assert api.post("agents", {"key": "a"}).status_code == 201
    assert api.post("agents", {"key": "a"}).json()["code"] == "agent_exists"
    assert api.post("tasks", {"agent": "a", "customer": "acme"}).json()["code"] == "agent_not_runnable"
    assert api.post("agents/a/versions", {"version": "2", "definition": {"goal": "g"}}).status_code == 201
    assert (
        api.post("agents/a/versions", {"version": "2", "definition": {"goal": "h"}}).json()["code"]
        == "agent_version_exists"
    )
    assert [one["version"] for one in api.get("agents/a").json()["versions"]] == ["1", "2"]
    assert api.get("tasks/none").status_code == 404


def test_the_probability_of_a_choice_is_that_of_its_tokens():
    text = '{"tool":"refund"}'
    tokens = [
        {"token": '{"tool":"', "logprob": -3.0},
        {"token": "ref", "logprob": -0.5},
        {"token": 'und"}', "logprob": -0.2},
    ]
    assert probability_of("refund", text, tokens) == Decimal("0.496585")  # e to the power of -0.7
    assert probability_of("refund", text, []) is None
    assert probability_of("other", text, tokens) is None
    assert probability_of("refund", text, [{"token": "x", "logprob": -1}]) is None
