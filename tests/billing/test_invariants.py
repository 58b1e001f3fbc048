from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connection

from billing.invariants import LAWS, check_all
from tests.api import Api
from tests.billing.test_closing_a_month import close

Make = Callable[..., Any]

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def books(vendor: Api, subscribe: Make, send: Make) -> Api:
    """Two customers' October, closed, and late usage after it."""
    subscribe("acme", "activity")
    subscribe("globex", "hybrid", "2026-10-09T00:00:00Z", tax_rate="0.19")
    for customer in ("acme", "globex"):
        send(customer, "agent.turn", 7)
        send(customer, "inference.call", 3, compute_seconds="1.25")
    send("acme", "agent.task", 3, outcome="succeeded")
    vendor.post("events/void", {"source": "test", "id": "acme-agent.turn-e-0", "reason": "before"})
    close(vendor)
    send("acme", "agent.turn", 2, name="late")
    vendor.post("events/void", {"source": "test", "id": "acme-agent.turn-e-1", "reason": "after"})
    return vendor


def broken(books: Api) -> dict[str, int]:
    return {law: len(found) for law, found in check_all(books.organization.pk) if found}


def tamper(statement: str) -> None:
    """Change what the database itself refuses to change."""
    with connection.cursor() as cursor:
        cursor.execute("SET session_replication_role = replica")
        cursor.execute(statement)
        cursor.execute("SET session_replication_role = DEFAULT")


def test_honest_books_break_no_law(books: Api) -> None:
    assert broken(books) == {}
    out = io.StringIO()
    call_command("check_invariants", stdout=out)
    assert out.getvalue().count("  ok  ") == len(LAWS)


@pytest.mark.parametrize(
    ("statement", "law"),
    [
        ("UPDATE billing_invoiceline SET amount = amount + 0.01 WHERE position = 0", "invoices are the sum"),
        ("UPDATE billing_invoiceline SET quantity = 6.5 WHERE kind = 'usage' AND position = 0", "lines are what"),
        ("DELETE FROM metering_usageevent WHERE type = 'agent.task'", "lines are what"),
        ("UPDATE billing_invoicecounter SET last = last + 1", "numbers have no gaps"),
        ("UPDATE billing_invoice SET number = 'INV-000077' WHERE number = 'INV-000001'", "numbers have no gaps"),
        ("UPDATE billing_subscription SET starts_at = '2026-10-02' WHERE starts_at > '2026-10-01'", "no closed month"),
    ],
)
def test_a_broken_law_is_named(books: Api, statement: str, law: str) -> None:
    tamper(statement)
    [name] = broken(books)
    assert name.startswith(law)
    with pytest.raises(CommandError, match="violation"):
        call_command("check_invariants", organization="vendor", stdout=io.StringIO())


def test_a_price_charged_twice_for_a_day_is_named(books: Api, subscribe: Make) -> None:
    subscribe("twice", "seat", "2026-11-01T00:00:00Z", seats=1)
    from datetime import UTC, datetime

    from kernel.period import Month

    for month in (11, 12):
        close(books, Month(2026, month), datetime(2027, 1, 5, tzinfo=UTC))
    assert broken(books) == {}
    tamper("UPDATE billing_invoiceline SET period_start = '2026-11-30' WHERE period_start = '2026-12-01'")
    assert list(broken(books)) == ["no price is charged twice for a day"]
