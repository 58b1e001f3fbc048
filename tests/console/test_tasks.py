"""Tasks in the console: a list that stays cheap, a tree with time and money, an outcome that a person may say."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts.models import AuditEntry
from agents.facade import advance_task_summaries, task_trace
from console.formats import NOTHING
from console.templatetags.console_format import customer_link
from tests.console.conftest import task_events, turns


@pytest.fixture
def vendor(committed_vendor: Any) -> Any:
    advance_task_summaries()
    return committed_vendor


def page(vendor: Any, address: str) -> str:
    answer = vendor.client.get(address)
    assert answer.status_code == 200
    return answer.content.decode()


def test_a_task_shows_its_tree_with_time_and_money(vendor):
    text = page(vendor, "/task?id=task-birch")
    for shown in ("Turn 1", "refund", "bank", "tiny", "$0.25", "succeeded", "410", "09:00:00"):
        assert shown in text
    # birch is charged by tiers and after 500 included units: nothing is a single task's.
    assert "Charged by the period" in text
    vendor.record(task_events("acme", start=datetime(2026, 11, 3, tzinfo=UTC)))
    text = page(vendor, "/task?id=task-acme")
    # One turn, one decision, one success: 0.05 + 0.01 + 0.99, less 0.25 of cost.
    assert [text.count(f'<dd class="value">{amount}</dd>') for amount in ("$1.05", "$0.80")] == [1, 1]
    assert '<a href="/customers/acme">acme</a>' in text


def test_lists_lead_to_the_customer_and_the_agent(vendor):
    for address in ("/tasks", "/events?customer=birch"):
        text = page(vendor, address)
        assert '<a href="/customers/birch">birch</a>' in text
        assert '<a href="/agent?agent=support">support</a>' in text
    assert vendor.client.get("/customers/birch").status_code == 200


def test_a_customer_s_key_that_no_address_can_hold_is_text():
    assert customer_link("a/b") == "a/b"
    assert customer_link("<i>") == '<a href="/customers/%3Ci%3E">&lt;i&gt;</a>'
    assert customer_link("") == NOTHING


def test_tasks_are_listed_filtered_and_paged_with_a_constant_number_of_queries(vendor):
    def queries() -> int:
        with CaptureQueriesContext(connection) as seen:
            page(vendor, "/tasks")
        return len(seen)

    assert "task-birch" in page(vendor, "/tasks")
    assert "task-birch" not in page(vendor, "/tasks?customer=acme")
    assert "task-birch" in page(vendor, "/tasks?outcome=succeeded&from=2026-10-07&to=2026-10-07")
    assert "No task fits" in page(vendor, "/tasks?agent=nobody")
    few = queries()
    for day in range(1, 29):
        for customer in ("acme", "birch"):
            vendor.record(turns(customer, 1, start=datetime(2026, 11, day, tzinfo=UTC)))
    advance_task_summaries()
    text = page(vendor, "/tasks")
    assert (text.count('scope="row"'), "Load 50 more" in text) == (50, True)
    assert queries() == few <= 20


def test_a_person_disputes_an_outcome_and_the_history_is_shown(vendor):
    form = {"ended": "1", "outcome": "failed", "reason": "the customer came back"}
    answer = vendor.client.post("/task?id=task-birch", form, follow=True)
    text = answer.content.decode()
    assert "Now failed." in text
    assert "taken back" in text
    trace = task_trace(organization_id=vendor.organization.pk, task_id="task-birch")
    assert (trace.task.totals.outcome, trace.task.totals.outcome_source) == ("failed", "person")
    entry = AuditEntry.objects.get(action="task.dispute")
    assert (entry.actor, entry.detail["reason"]) == (vendor.user.email, "the customer came back")


def test_who_may_not_move_money_may_not_judge(vendor):
    viewer = vendor.member("viewer")
    assert "Dispute the outcome" not in viewer.get("/task?id=task-birch").content.decode()
    assert viewer.post("/task?id=task-birch", {"ended": "1", "outcome": "failed", "reason": "x"}).status_code == 403
    assert vendor.client.post("/task?id=task-birch", {"ended": "1", "outcome": "failed"}).status_code == 422
    assert vendor.client.get("/task?id=nothing").status_code == 404
