from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from django.db import connection

from billing.facade import close_month
from billing.invoicing.due import issue_due, organizations_to_invoice
from billing.models import Invoice
from kernel.period import Month
from tests.api import Api

FEE = [{"key": "fee", "kind": "fixed", "bill": "in_advance", "model": {"type": "flat", "amount": "7"}}]


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.fixture
def weekly(vendor: Api, subscribe: Callable[..., str]) -> Api:
    """A fee of 7 in advance for each week, for a customer since Thursday, 1 October 2026."""
    plan = {"key": "weekly", "currency": "USD", "interval": "week", "prices": FEE}
    assert vendor.post("plans", plan).status_code == 201
    subscribe("acme", "weekly", "2026-10-01T00:00:00Z", anchor="anniversary")
    return vendor


def starts(vendor: Api) -> list[str]:
    return [one["period_start"][:10] for one in vendor.get("invoices").json()["data"]]


def test_nothing_is_issued_by_itself_unless_the_organization_wants_it(weekly: Api) -> None:
    assert organizations_to_invoice() == []
    assert weekly.patch("billing_policy", {"issue": "when_due"}).json()["issue"] == "when_due"
    assert organizations_to_invoice() == [weekly.organization.pk]


def test_each_week_is_invoiced_when_it_begins_and_only_once(weekly: Api) -> None:
    organization = weekly.organization.pk
    assert issue_due(organization_id=organization, now=at("2026-10-01T00:05:00")) == 1
    assert issue_due(organization_id=organization, now=at("2026-10-07T23:59:00")) == 0
    assert issue_due(organization_id=organization, now=at("2026-10-08T00:05:00")) == 1
    assert issue_due(organization_id=organization, now=at("2026-10-08T00:05:00")) == 0
    answer = weekly.get("invoices").json()["data"]
    assert [(one["number"], one["status"], one["total"]) for one in answer] == [
        ("INV-000001", "finalized", "7.00"),
        ("INV-000002", "finalized", "7.00"),
    ]


def test_what_was_missed_for_a_while_is_issued_in_order(weekly: Api) -> None:
    assert issue_due(organization_id=weekly.organization.pk, now=at("2026-10-20T00:00:00")) == 3
    # The first charges the week of the 1st; the others are named after the week before the one they charge.
    assert starts(weekly) == ["2026-10-01", "2026-10-01", "2026-10-08"]


def test_closing_the_month_finds_what_is_left(weekly: Api) -> None:
    issue_due(organization_id=weekly.organization.pk, now=at("2026-10-20T00:00:00"))
    run = close_month(organization=weekly.organization, month=Month(2026, 10), now=at("2026-11-01T14:00:00"))
    assert run.invoices == 2  # the weeks of 22 and 29 October
    assert Invoice.objects.count() == 5


def test_a_grace_period_keeps_them_drafts(weekly: Api) -> None:
    weekly.patch("billing_policy", {"grace_hours": 24})
    assert issue_due(organization_id=weekly.organization.pk, now=at("2026-10-01T00:05:00")) == 1
    assert [one["status"] for one in weekly.get("invoices").json()["data"]] == ["draft"]


@pytest.mark.django_db(transaction=True)
def test_four_at_once_issue_each_invoice_once(weekly: Api) -> None:
    made: list[Any] = []

    def work() -> None:
        try:
            made.append(issue_due(organization_id=weekly.organization.pk, now=at("2026-10-20T00:00:00")))
        finally:
            connection.close()

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(made) == 3
    assert sorted(Invoice.objects.values_list("number", flat=True)) == ["INV-000001", "INV-000002", "INV-000003"]
