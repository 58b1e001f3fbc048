"""Test clocks of one organization that are advanced by several requests at once."""

from __future__ import annotations

import json
import threading
from typing import Any

import psycopg
import pytest
from django.db import OperationalError, connection, transaction
from psycopg.errors import AdminShutdown, DeadlockDetected, LockNotAvailable, SerializationFailure

from config.api_errors import handle
from rest import isolation
from rest.isolation import ConflictingChanges, retried
from tests.api import Api
from tests.billing.test_billing_periods import fee, plan
from tests.billing.test_credits_concurrently import at_once
from tests.billing.test_test_clocks import advance, all_invoices

CONFLICTS = (DeadlockDetected, LockNotAvailable, SerializationFailure)


def _refusal(kind: type[psycopg.Error]) -> OperationalError:
    error = OperationalError("refused")
    error.__cause__ = kind("refused")
    return error


@pytest.mark.django_db(transaction=True)
def test_clocks_advanced_at_once_issue_what_they_issue_one_after_the_other(vendor: Api) -> None:
    plan(vendor, fee("30.00"))
    clocks = []
    for name in ("a", "b", "c"):
        clock = vendor.post("test_clocks", {"now": f"2026-01-0{'abc'.index(name) + 1}T00:00:00Z"}).json()["id"]
        vendor.customer(name, test_clock=clock)
        assert vendor.post("subscriptions", {"customer": name, "plan": "p"}).status_code == 201
        clocks.append(clock)

    def work(clock: str) -> tuple[int, str]:
        with connection.cursor() as cursor:
            cursor.execute("SET lock_timeout = '20ms'")  # the server's is 3 seconds
        answer = advance(vendor, clock, "2026-06-01T00:00:00Z")
        return answer.status_code, answer.json().get("code", "")

    # Each clock twice: the second advance to the same instant issues nothing.
    answers = at_once(*(lambda clock=clock: work(clock) for clock in clocks * 2))
    assert answers == [(200, "")] * 6
    numbers = [one["number"] for one in all_invoices(vendor)]
    assert len(numbers) == len(set(numbers)) == 15  # three customers, January to May


@pytest.mark.parametrize("kind", CONFLICTS)
def test_a_conflict_is_never_called_an_outage(kind: type[psycopg.Error]) -> None:
    answer = handle(_refusal(kind), {})
    assert answer is not None
    assert (answer.status_code, answer["Retry-After"]) == (409, "1")
    assert json.loads(answer.content)["code"] == "conflicting_changes"
    outage = handle(_refusal(AdminShutdown), {})
    assert outage is not None
    assert outage.status_code == 503


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("kind", CONFLICTS)
def test_a_conflict_is_retried_a_bounded_number_of_times(
    kind: type[psycopg.Error], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("rest.isolation._LONGEST_PAUSE", 0)
    tried: list[int] = []

    def work(until: int) -> str:
        tried.append(until)
        if len(tried) < until:
            raise _refusal(kind)
        return "done"

    assert retried(lambda: work(5)) == "done"
    tried.clear()
    with pytest.raises(ConflictingChanges):
        retried(lambda: work(1000))
    assert len(tried) == 12


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("headers", [{}, {"idempotency-key": "once"}])
def test_a_request_that_is_one_transaction_is_retried_after_a_conflict(
    vendor: Api, headers: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    vendor.customer("acme")
    locked, tried, free = threading.Event(), threading.Event(), threading.Event()

    def hold() -> None:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("LOCK TABLE rest_idempotencyrecord IN EXCLUSIVE MODE")
            locked.set()
            tried.wait(60)
        free.set()

    def pause(_: float) -> None:
        tried.set()
        free.wait(60)

    def ask() -> Any:
        locked.wait(60)
        monkeypatch.setattr(isolation.time, "sleep", pause)
        with connection.cursor() as cursor:
            cursor.execute("SET lock_timeout = '20ms'")
        try:
            return vendor.post(
                "charges", {"customer": "acme", "description": "Setup", "unit_amount": "5.00"}, **headers
            )
        finally:
            tried.set()

    _, answer = at_once(hold, ask)
    assert answer.status_code == 201, answer.content
    assert len(vendor.get("charges").json()["data"]) == 1
