"""Closing a month from its page, what it met, and whether what works in the background does."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest
import redis
from django.conf import settings
from django.db import connection
from django.test.utils import CaptureQueriesContext

from agents.facade import advance_task_summaries
from billing.facade import BillingRun, runs_of
from billing.tasks import work_run
from budgets.facade import create_budget, evaluate_budgets
from console import heartbeat
from console.queries import health
from console.tasks import leave_pulse
from inference.facade import EngineState
from kernel.clock import system_clock
from metering.facade import advance_projections
from notifications.facade import Backlog, create_endpoint, send_test
from tests.console.conftest import Vendor, turns
from tests.console.test_invoices import text


@pytest.fixture(autouse=True)
def _no_worker_is_asked(monkeypatch: pytest.MonkeyPatch, redis_url: str) -> Iterator[None]:
    monkeypatch.setattr(health, "_worker_answers", lambda: False)
    with redis.Redis.from_url(settings.REDIS_URL) as broker:
        broker.delete("taximeter:heartbeat")
        yield
        broker.delete("taximeter:heartbeat")


def signs(vendor: Vendor) -> dict[str, health.Sign]:
    return {one.name: one for one in health.signs(organization_id=vendor.organization.pk, now=system_clock())}


def test_a_month_is_closed_from_the_page_and_its_progress_is_there_for_whoever_looks(vendor: Vendor) -> None:
    page = text(vendor.client.post("/runs", {"month": "2026-09"}, follow=True).content)
    assert "Closing Sep 2026 has started." in page
    run = runs_of(vendor.organization.pk).get(month="2026-09")
    assert f"Sep 2026 {run.status}" in page
    work_run(run_id=run.pk)
    assert "Sep 2026 succeeded" in text(vendor.member("viewer").get("/runs/list").content)
    again = text(vendor.client.post("/runs", {"month": "2999-01"}).content)
    assert "2999-01 is not over yet" in again


def test_what_a_run_could_not_invoice_is_told_apart_from_what_still_waits(vendor: Vendor) -> None:
    problems = [
        {"subscription": "s", "customer": "acme", "code": "period_not_over", "detail": "The period is not over"},
        *({"subscription": "s", "customer": f"c{i}", "code": "rate_missing", "detail": "No rate"} for i in range(51)),
    ]
    BillingRun.objects.update(problems=problems, status="failed")
    page = text(vendor.client.get("/runs").content)
    assert "51 not invoiced" in page
    assert "c49 : No rate" in page
    assert "c50 : No rate" not in page
    assert "1 not over yet acme : The period is not over" in page


def test_a_heartbeat_shows_that_the_schedule_asks_and_a_worker_answers(vendor: Vendor) -> None:
    assert signs(vendor)["Schedule and workers"].said == "No worker answers."
    leave_pulse()
    assert signs(vendor)["Schedule and workers"].state == "fine"
    old = system_clock() - timedelta(seconds=31)
    heartbeat.leave_heartbeat(now=old)
    late = signs(vendor)["Schedule and workers"]
    assert (late.state, late.said) == ("stuck", "No worker answers.")
    assert late.since is not None
    assert abs(late.since - old) < timedelta(milliseconds=1)


def test_workers_without_a_schedule_are_told_apart(vendor: Vendor, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "_worker_answers", lambda: True)
    assert "beat is not running" in signs(vendor)["Schedule and workers"].said


def test_a_broker_that_is_away_is_said_and_the_rest_is_shown(vendor: Vendor, settings: object) -> None:
    settings.REDIS_URL = "redis://127.0.0.1:1/0"
    assert "The broker does not answer" in text(vendor.client.get("/runs/health").content)


@pytest.mark.django_db(transaction=True)
def test_how_far_the_evaluation_of_budgets_is_behind_is_told(empty: Vendor) -> None:
    assert signs(empty)["Budgets"] == health.Sign("Budgets", "off", "No budget or limit is set.", link="/budgets")
    empty.record(turns("acme", 2, start=system_clock()))
    fields = {"measure": {"meter": "turns"}, "period": "total", "amount": Decimal(10)}
    thresholds = [{"percent": "100", "actions": ["stop"]}]
    made = create_budget(organization=empty.organization, key="cap", thresholds=thresholds, **fields)
    assert signs(empty)["Budgets"].since == made.created_at
    evaluate_budgets(now=system_clock())
    assert (signs(empty)["Budgets"].state, signs(empty)["Budgets"].since) == ("fine", None)
    before = system_clock()
    empty.record(turns("birch", 2, start=system_clock()))
    since = signs(empty)["Budgets"].since
    assert since is not None
    assert since >= before
    late = health.signs(organization_id=empty.organization.pk, now=system_clock() + timedelta(minutes=6))
    assert next(one.state for one in late if one.name == "Budgets") == "stuck"


@pytest.mark.django_db(transaction=True)
def test_events_that_are_not_counted_yet_are_told_with_since_when(empty: Vendor) -> None:
    empty.record(turns("acme", 2, start=system_clock()))
    advance_projections()
    advance_task_summaries()
    assert {signs(empty)[name].since for name in ("Usage of meters", "Summaries of tasks")} == {None}
    empty.record(turns("birch", 2, start=system_clock()))
    found = signs(empty)
    for name in ("Usage of meters", "Summaries of tasks"):
        since = found[name].since
        assert since is not None
        assert system_clock() - since < timedelta(minutes=1)
        assert found[name].state == "fine"  # it is not late yet


def test_what_should_be_sent_by_now_is_told_and_so_is_what_was_given_up(vendor: Vendor) -> None:
    now = system_clock()
    assert signs(vendor)["Webhooks"].state == "fine"
    endpoint = create_endpoint(organization_id=vendor.organization.pk, url="https://erp.invalid/", now=now)
    send_test(endpoint=endpoint, now=now - timedelta(minutes=6))
    late = signs(vendor)["Webhooks"]
    assert (late.state, late.since) == ("stuck", now - timedelta(minutes=6))


@pytest.mark.parametrize(
    ("waited", "failed", "state"),
    [(0, 0, "fine"), (31, 0, "late"), (301, 0, "stuck"), (0, 1, "late"), (301, 1, "stuck")],
)
def test_a_backlog_is_as_bad_as_it_is_old_or_as_what_was_given_up(waited: int, failed: int, state: str) -> None:
    now = system_clock()
    backlog = Backlog(now - timedelta(seconds=waited) if waited else None, failed)
    assert health._sent("Mail", backlog, now, given_up="given up").state == state


@pytest.mark.parametrize(
    ("found", "state"),
    [
        (EngineState(is_here=False), "off"),
        (EngineState(is_here=True), "stuck"),
        (EngineState(True, True, requests=2, models=("tiny",)), "fine"),
    ],
)
def test_the_engine_is_asked(monkeypatch: pytest.MonkeyPatch, found: EngineState, state: str) -> None:
    monkeypatch.setattr(health, "engine_state", lambda: replace(found))
    assert health._engine().state == state


def test_an_engine_that_left_its_socket_behind_is_told(vendor: Vendor, settings: object, tmp_path: object) -> None:
    socket = tmp_path / "engine.sock"
    socket.touch()
    settings.ENGINE_SOCKET = str(socket)
    assert signs(vendor)["Engine"].said == "The engine does not answer."


def test_the_health_of_everything_takes_few_queries(vendor: Vendor) -> None:
    leave_pulse()
    with CaptureQueriesContext(connection) as asked:
        assert vendor.client.get("/runs/health").status_code == 200
    assert len(asked) <= 22
