"""Tasks over the API: lists and trees with time and money, outcomes said and disputed."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from unittest.mock import ANY

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts.models import AuditEntry
from agents.api import answers
from agents.services.projection import advance_task_summaries
from billing.facade import close_month, create_customer, create_plan, invoices_of, subscribe
from kernel.period import Month
from metering.facade import ingest
from tests.agents.test_task_summaries import NOW, a_task, event
from tests.api import Api, make_api

START = datetime(2026, 10, 1, tzinfo=UTC)


@pytest.fixture
def api(transactional_db: None) -> Api:
    api = make_api("Vendor")
    for meter in ("turns", "decisions"):
        api.meter(meter, event_type=f"agent.{meter[:-1]}", aggregation="count")
    api.meter(
        "succeeded_tasks", event_type="agent.task", aggregation="unique_count", value="data.task_id",
        filters=[{"path": "data.outcome", "op": "eq", "value": "succeeded"}],
    )  # fmt: skip
    return api


def put(api: Api, events: list[dict[str, Any]]) -> None:
    assert not ingest(organization_id=api.organization.pk, events=events, received_at=NOW).rejected


def per_unit(key: str, meter: str, amount: str) -> dict[str, Any]:
    return {"key": key, "kind": "usage", "meter": meter, "model": {"type": "per_unit", "unit_amount": amount}}


def subscribed(api: Api, **more: Any) -> None:
    """The customer acme pays 0.05 a turn and 0.99 a succeeded task, and what `more` prices say."""
    customer = create_customer(organization=api.organization, key="acme")
    prices = [
        per_unit("turns", "turns", "0.05"),
        per_unit("done", "succeeded_tasks", "0.99"),
        *more.get("prices", []),
    ]  # fmt: skip
    plan = create_plan(organization=api.organization, key="p", currency="USD", prices=prices)
    subscribe(customer=customer, plan=plan, starts_at=START)


def test_a_task_has_its_tree_its_cost_its_charge_and_its_margin_the_moment_it_is_in(api):
    subscribed(api)
    put(api, a_task())
    task = api.get("tasks/t-1").json()
    assert (task["id"], task["customer"], task["agent"], task["goal"]) == ("t-1", "acme", "support", "help")
    assert (task["turns"], task["decisions"], task["tool_calls"], task["inference_calls"]) == (2, 2, 1, 2)
    assert (task["input_tokens"], task["output_tokens"], task["compute_seconds"]) == ("420", "60", "1.5")
    assert task["cost"] == {"amount": "0.03", "currency": "USD", "unpriced_calls": 0}
    # Two turns and one succeeded task: 2 x 0.05 + 0.99, less 0.03 of cost.
    assert (task["charge"]["amount"], task["charge"]["left_out"]) == ("1.09", [])
    assert task["margin"] == {"amount": "1.06", "currency": "USD", "is_partial": False}
    assert [one["type"] for one in task["tree"]].count("turn") == 2
    assert len(task["tree"]) == 7


def test_what_is_priced_by_the_period_is_left_out_of_a_task_and_named(api):
    fee = {"key": "base", "kind": "fixed", "model": {"type": "flat", "amount": "49"}}
    tiers = {"type": "graduated", "tiers": [{"up_to": None, "unit_amount": "1"}]}
    subscribed(api, prices=[fee, {"key": "steps", "kind": "usage", "meter": "decisions", "model": tiers}])
    put(api, a_task())
    task = api.get("tasks/t-1").json()
    assert task["charge"]["amount"] == "1.09"
    assert task["charge"]["left_out"] == [
        {"price": "base", "reason": "fixed"},
        {"price": "steps", "reason": "graduated"},
    ]
    assert task["margin"]["is_partial"] is True


def test_leaves_hang_in_their_turn_and_tools_in_their_decision(api):
    put(api, [
        event("agent.turn", 3, turn_id="a", started_at="2026-11-02T12:00:00Z", duration_ms=3000),
        event("inference.call", 1, turn_id="a", model="m", input_tokens=5),
        event("agent.decision", 2, turn_id="a", decision_id="d", choice="search", options=["search", "stop"],
              probability="0.9"),
        event("agent.tool_call", 2, turn_id="a", decision_id="d", tool="search", error="Timeout"),
        event("inference.call", 4, turn_id="b", model="m"),
    ])  # fmt: skip
    first, second = api.get("tasks/t-1").json()["tree"]
    assert (first["label"], first["duration_ms"], [c["type"] for c in first["children"]]) == (
        "Turn 1", 3000, ["inference_call", "decision"],
    )  # fmt: skip
    decision = first["children"][1]
    assert (decision["choice"], decision["options"], decision["probability"]) == ("search", ["search", "stop"], "0.9")
    assert [(c["tool"], c["error"]) for c in decision["children"]] == [("search", "Timeout")]
    assert (second["label"], second["children"][0]["label"], first["input_tokens"]) == ("Turn 2", "m", "5")


def test_tasks_are_listed_by_customer_agent_outcome_and_time_page_by_page(api):
    for number in range(5):
        put(api, [one | {"data": one["data"] | {"agent": f"a{number % 2}"}, "subject": "acme" if number else "zen"}
                  for one in a_task(f"t-{number}", "failed" if number == 3 else "succeeded")])  # fmt: skip
    put(api, [event("agent.turn", 3600, task="open")])
    advance_task_summaries()

    def ids(**asked: str) -> list[str]:
        answer = api.get("tasks", **asked)
        assert answer.status_code == 200, answer.content
        return sorted(one["id"] for one in answer.json()["data"])

    assert ids() == ["open", "t-0", "t-1", "t-2", "t-3", "t-4"]
    assert ids(customer="zen") == ["t-0"]
    assert ids(agent="a1") == ["t-1", "t-3"]
    assert ids(outcome="failed") == ["t-3"]
    assert ids(outcome="open") == ["open"]
    assert ids(**{"from": "2026-11-02T12:30:00Z"}) == ["open"]
    assert ids(to="2026-11-02T12:00:01Z") == []
    seen, cursor = [], ""
    while cursor is not None:
        page = api.get("tasks", limit="2", **({"cursor": cursor} if cursor else {})).json()
        seen += [one["id"] for one in page["data"]]
        cursor = page["next_cursor"]
    assert (seen[0], sorted(seen)) == ("open", ids())


def test_lists_and_trees_take_the_same_number_of_queries_for_any_number(api):
    subscribed(api)

    def queries(ask: Callable[[], Any]) -> int:
        with CaptureQueriesContext(
            connection,
        ) as seen:
            assert ask().status_code == 200
        return len(seen)

    put(api, a_task("t-0"))
    advance_task_summaries()
    few = queries(lambda: api.get("tasks")), queries(lambda: api.get("tasks/t-0"))
    for number in range(1, 20):
        put(api, a_task(f"t-{number}"))
    put(api, [event("agent.turn", 10 + n, task="t-0", turn_id=f"x{n}") for n in range(50)])
    advance_task_summaries()
    assert len(api.get("tasks").json()["data"]) == 20
    assert (queries(lambda: api.get("tasks")), queries(lambda: api.get("tasks/t-0"))) == few
    assert max(few) <= 16


def test_an_outcome_is_said_once_and_counts_at_once(api):
    api.customer("acme")
    put(api, a_task()[:-1])
    said = {"outcome": "succeeded", "source": "check", "reason": "the refund went through"}
    first = api.post("tasks/t-1/outcome", said)
    assert (first.status_code, first.json()) == (
        200,
        {"id": "t-1", "outcome": "succeeded", "previous_outcome": None, "changed": True, "settled": False},
    )
    assert api.post("tasks/t-1/outcome", said).json()["changed"] is False
    refused = api.post("tasks/t-1/outcome", {"outcome": "failed"})
    assert (refused.status_code, refused.json()["code"]) == (409, "outcome_set")
    task = api.get("tasks/t-1").json()
    assert (task["outcome"], task["outcome_source"], task["agent"], task["customer"]) == (
        "succeeded",
        "check",
        "support",
        "acme",
    )
    usage = api.get(
        "meters/succeeded_tasks/usage",
        **{"from": "2026-01-01T00:00:00Z", "to": "2100-01-01T00:00:00Z", "customer": "acme"},
    )
    assert usage.json()["data"][0]["quantity"] == "1"
    assert AuditEntry.objects.get(action="task.outcome").detail["outcome"] == "succeeded"


def test_a_disputed_outcome_is_replaced_in_its_own_period_and_its_history_kept(api):
    api.customer("acme")
    put(api, a_task())
    span = {"from": "2026-11-01T00:00:00Z", "to": "2026-12-01T00:00:00Z", "customer": "acme"}
    assert api.get("meters/succeeded_tasks/usage", **span).json()["data"][0]["quantity"] == "1"
    answer = api.post("tasks/t-1/dispute", {"outcome": "failed", "reason": "the customer came back"})
    assert answer.json() == {
        "id": "t-1", "outcome": "failed", "previous_outcome": "succeeded", "changed": True, "settled": ANY,
    }  # fmt: skip
    assert api.get("meters/succeeded_tasks/usage", **span).json()["data"] == []
    assert api.post("tasks/t-1/dispute", {"outcome": "failed", "reason": "x"}).json()["changed"] is False
    assert (
        api.post("tasks/t-1/dispute", {"outcome": "succeeded", "source": "person", "reason": "no"}).status_code == 200
    )
    assert api.get("meters/succeeded_tasks/usage", **span).json()["data"][0]["quantity"] == "1"
    task = api.get("tasks/t-1").json()
    assert (task["outcome"], task["outcome_source"]) == ("succeeded", "person")
    assert [(one["outcome"], one["outcome_source"], one["taken_back"]) for one in task["outcomes"]] == [
        ("succeeded", "check", True), ("failed", "customer", True), ("succeeded", "person", False),
    ]  # fmt: skip
    assert {one["at"] for one in task["outcomes"]} == {"2026-11-02T12:00:05Z"}
    assert AuditEntry.objects.filter(action="task.dispute", target="t-1").count() == 2


def test_a_dispute_says_whether_the_settlement_window_was_over(api):
    now = datetime.now(UTC)
    for task, ago in (("young", 71), ("old", 73)):
        end = event("agent.task", 0, task=task, outcome="succeeded")
        put(api, [end | {"time": (now - timedelta(hours=ago)).isoformat()}])
    assert api.post("tasks/young/dispute", {"outcome": "failed", "reason": "x"}).json()["settled"] is False
    assert api.post("tasks/old/dispute", {"outcome": "failed", "reason": "x"}).json()["settled"] is True


def test_a_plan_says_how_long_its_tasks_may_be_settled(api):
    now = datetime.now(UTC)
    fee = [{"key": "fee", "kind": "fixed", "model": {"type": "flat", "amount": "1"}}]
    plan = create_plan(organization=api.organization, key="strict", currency="USD", prices=fee, settlement_hours=24)
    customer = create_customer(organization=api.organization, key="acme", name="Acme")
    subscribe(customer=customer, plan=plan, starts_at=now - timedelta(days=9))
    for task, ago in (("young", 23), ("old", 25)):
        end = event("agent.task", 0, task=task, outcome="succeeded")
        put(api, [end | {"subject": "acme", "time": (now - timedelta(hours=ago)).isoformat()}])
    assert api.post("tasks/young/dispute", {"outcome": "failed", "reason": "x"}).json()["settled"] is False
    assert api.post("tasks/old/dispute", {"outcome": "failed", "reason": "x"}).json()["settled"] is True


def test_what_makes_no_sense_is_refused_with_the_reason(api):
    put(api, a_task()[:-1])
    assert api.get("tasks/none").json()["code"] == "task_not_found"
    assert make_api("Other").get("tasks/t-1").status_code == 404
    assert api.post("tasks/none/outcome", {"outcome": "failed"}).status_code == 404
    refused = api.post("tasks/t-1/dispute", {"outcome": "failed", "reason": "x"})
    assert (refused.status_code, refused.json()["code"]) == (409, "task_not_ended")
    assert api.post("tasks/t-1/dispute", {"outcome": "great", "reason": "x"}).status_code == 422
    assert api.post("tasks/t-1/dispute", {"outcome": "failed"}).status_code == 422
    assert api.get("tasks", outcome="great").status_code == 422
    assert api.get("tasks", cursor="xyz").status_code == 422
    assert make_api("Reader", "read").post("tasks/t-1/outcome", {"outcome": "failed"}).status_code == 403


def test_a_task_id_may_be_any_text(api):
    put(api, [event("agent.turn", 1, task="a/b c/\u00fc?%")])
    assert api.get("tasks/a/b%20c/%C3%BC%3F%25").json()["id"] == "a/b c/\u00fc?%"


def test_a_dispute_after_the_month_was_invoiced_is_a_change_of_that_line(api):
    subscribed(api)
    ended = [one | {"time": one["time"].replace("2026-11-02", "2026-10-20")} for one in a_task()]
    put(api, ended)
    month = Month(2026, 10)
    close_month(organization=api.organization, month=month, now=datetime(2026, 11, 3, tzinfo=UTC))
    invoice = invoices_of(api.organization.pk).get()
    assert invoice.total == Decimal("1.09")
    assert api.post("tasks/t-1/dispute", {"outcome": "failed", "reason": "x"}).json()["settled"] is True
    late = api.get(f"invoices/{invoice.pk}/late_usage").json()
    assert [(one["quantity"], one["amount"]) for one in late["data"]] == [("0", "-0.99")]


def test_answers_have_the_shape_that_the_description_says(api):
    subscribed(api)
    put(api, a_task())
    advance_task_summaries()
    api.post("agents", {"key": "a"})
    api.post("cost_rates", {"model": "m", "input_per_million": "1", "effective_from": "2026-10-01T00:00:00Z"})
    span = {"from": "2026-11-01T00:00:00Z", "to": "2026-12-01T00:00:00Z", "group_by": "model", "window": "day"}
    for answer, shape in [
        (api.get("tasks/t-1").json(), answers.Task),
        (api.get("tasks").json()["data"][0], answers.TaskSummary),
        (api.get("tasks").json()["data"][0]["cost"] | {"other_currencies": {}}, answers.Cost),
        (api.get("agents/a").json(), answers.Agent),
        (api.get("cost_rates").json()["data"][0], answers.CostRate),
        (api.get("costs", **span).json(), answers.CostReport),
        (api.get("costs", **span).json()["data"][0], answers.CostRow),
        (api.post("tasks/t-1/dispute", {"outcome": "failed", "reason": "x"}).json(), answers.Outcome),
    ]:
        assert set(answer) == set(shape().get_fields()), shape
