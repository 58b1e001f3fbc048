"""Tasks that others report, over the SDK or OpenTelemetry, are the same trees as those our runtime works."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from taximeter import Meter

from agents.facade import meter_for
from agents.models import CostRate
from agents.recording import InProcessTransport
from agents.services.projection import advance_task_summaries
from tests.agents.test_import_records import OTLP
from tests.api import Api, make_api


@pytest.fixture
def api(transactional_db: None) -> Api:
    return make_api("Vendor")


def record(meter: Meter, **options: Any) -> None:
    with meter.task("refund", customer="acme", agent="support@3", task_id="t-1", **options) as task:
        with task.turn(initiator="human") as turn:
            turn.inference(model="gpt-4o", provider="openai", input_tokens=1_000, output_tokens=100)
            decision = turn.decision("tool", choice="lookup", options=["lookup", "stop"], probability="0.75")
            turn.tool_call("lookup", decision_id=decision, duration_ms=40, error="Timeout")
        with task.turn() as turn:
            turn.inference(model="gpt-4o", provider="openai", input_tokens=2_000, output_tokens=50)
            turn.decision("handover", choice="person")
        task.escalate()


def outline(nodes: list[dict[str, Any]]) -> list[Any]:
    return [(node["type"], outline(node["children"])) for node in nodes]


def test_a_task_of_the_sdk_is_a_tree_with_its_cost(api):
    CostRate.objects.create(
        provider="openai", model="gpt-4o", input_per_million=2, output_per_million=10,
        effective_from=datetime(2020, 1, 1, tzinfo=UTC),
    )  # fmt: skip
    record(meter_for(organization_id=api.organization.pk, source="desk"))
    task = api.get("tasks/t-1").json()
    assert outline(task["tree"]) == [
        ("turn", [("inference_call", []), ("decision", [("tool_call", [])])]),
        ("turn", [("inference_call", []), ("decision", [])]),
    ]
    assert (task["outcome"], task["turns"], task["decisions"], task["tool_calls"]) == ("escalated", 2, 2, 1)
    # 3,000 x 2 + 150 x 10 millionths.
    assert task["cost"] == {"amount": "0.0075", "currency": "USD", "unpriced_calls": 0}
    assert [turn["cost"]["amount"] for turn in task["tree"]] == ["0.003", "0.0045"]
    assert task["tree"][0]["initiator"] == "human"
    advance_task_summaries()
    [listed] = api.get("tasks").json()["data"]
    assert listed == {name: task[name] for name in listed}


def test_the_list_says_what_the_tree_says_also_of_attempts_and_voids(api):
    organization_id = api.organization.pk
    record(Meter(source="desk", transport=InProcessTransport(organization_id)), attempt=2)
    body = {"source": "desk", "id": "t-1/attempt-2/turn-1/tool-call-1", "reason": "x"}
    events = api.get("events", task_id="t-1").json()["data"]
    tool_call = next(one for one in events if one["type"] == "agent.tool_call")
    assert api.post("events/void", body | {"id": tool_call["id"]}).status_code == 200
    advance_task_summaries()
    [listed] = api.get("tasks").json()["data"]
    task = api.get("tasks/t-1").json()
    assert (listed["attempts"], listed["tool_calls"], listed["cost"]["unpriced_calls"]) == (2, 0, 2)
    assert listed == {name: task[name] for name in listed}


def test_a_task_of_opentelemetry_is_a_tree(api):
    answer = api.client.post("/v1/traces", data=json.dumps(OTLP), content_type="application/json")
    assert answer.status_code == 200
    [trace_id] = {one["data"]["task_id"] for one in api.get("events").json()["data"]}
    task = api.get(f"tasks/{trace_id}").json()
    assert (task["customer"], task["agent"], task["outcome"], task["input_tokens"]) == (
        "acme",
        "support",
        "succeeded",
        "30",
    )
    assert outline(task["tree"]) == [("inference_call", [])]


def test_agents_and_rates_are_listed_with_a_constant_number_of_queries(api):
    def queries(ask: Callable[[], Any]) -> int:
        with CaptureQueriesContext(connection) as seen:
            assert ask().status_code == 200
        return len(seen)

    def make(number: int) -> None:
        assert api.post("agents", {"key": f"a{number}"}).status_code == 201
        CostRate.objects.create(
            organization=api.organization, model=f"m{number}", input_per_million=1,
            effective_from=datetime(2026, 1, 1, tzinfo=UTC) + timedelta(hours=number),
        )  # fmt: skip

    make(0)
    few = queries(lambda: api.get("agents")), queries(lambda: api.get("cost_rates"))
    for number in range(1, 12):
        make(number)
    assert len(api.get("agents").json()["data"]) == len(api.get("cost_rates").json()["data"]) == 12
    assert (queries(lambda: api.get("agents")), queries(lambda: api.get("cost_rates"))) == few
    assert max(few) <= 5
    assert [one["model"] for one in api.get("cost_rates", model="m3").json()["data"]] == ["m3"]
