"""Credit grants: made, listed, voided, expired and rolled over, with a statement that adds up."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from billing.credits.expiry import expire_credits, expire_on_clock
from billing.facade import close_month
from billing.models import TestClock
from kernel.period import Month
from tests.api import Api

Row = dict[str, Any]


def grant(api: Api, customer: str = "acme", **fields: Any) -> Row:
    body = {"customer": customer, "name": "Welcome", "amount": "100", "currency": "USD"} | fields
    body = {name: value for name, value in body.items() if value is not None}
    answer = api.post("credit_grants", body)
    assert answer.status_code == 201, answer.content
    return dict(answer.json())


def statement(api: Api, customer: str = "acme", **parameters: str) -> list[tuple[str, str, str]]:
    rows = api.get(f"customers/{customer}/credit_movements", **parameters).json()["data"]
    return [(row["kind"], row["amount"], row["balance"]) for row in rows]


def available(api: Api, customer: str = "acme") -> dict[str, str]:
    rows = api.get(f"customers/{customer}/credit_balance").json()["data"]
    return {row["currency"] or row["pricing_unit"] or row["meter"]: row["available"] for row in rows}


@pytest.fixture
def acme(api: Api) -> Api:
    api.customer("acme")
    return api


@pytest.fixture
def clocked(api: Api) -> Api:
    clock = api.post("test_clocks", {"now": "2026-01-01T00:00:00Z"}).json()["id"]
    api.customer("acme", test_clock=clock)
    return api


def live_until(year: int, month: int, day: int) -> int:
    """Let the test clock's customers live until then; answers how many grants expired."""
    [clock] = TestClock.objects.all()
    return expire_on_clock(test_clock=clock, until=datetime(year, month, day, tzinfo=UTC))


def test_a_grant_of_money_is_kept_with_its_balance(acme: Api) -> None:
    made = grant(acme, amount="25.50", expires_at="2999-01-01T00:00:00Z", priority=5, source="purchase")
    assert made["id"].startswith("crg_")
    shown = {name: made[name] for name in ("customer", "currency", "pricing_unit", "meter", "amount", "balance")}
    assert shown == {
        "customer": "acme",
        "currency": "USD",
        "pricing_unit": None,
        "meter": None,
        "amount": "25.50",
        "balance": "25.50",
    }
    assert acme.get(f"credit_grants/{made['id']}").json() == made
    assert acme.get("credit_grants", customer="acme").json()["data"] == [made]
    assert statement(acme) == [("granted", "25.50", "25.50")]


def test_balances_are_kept_by_what_they_are_of_and_say_what_expires_when(acme: Api) -> None:
    acme.meter("turns", event_type="agent.turn", aggregation="count")
    acme.post("pricing_units", {"key": "credits", "name": "Credits", "currency": "USD", "rate": "0.01"})
    grant(acme, amount="10")
    grant(acme, amount="5", expires_at="2998-01-01T00:00:00Z")
    grant(acme, amount="7", effective_at="2997-01-01T00:00:00Z")
    grant(acme, amount="2500.5", currency=None, pricing_unit="credits")
    grant(acme, amount="1000", currency=None, meter="turns")
    data = acme.get("customers/acme/credit_balance").json()["data"]
    by_kind = {row["currency"] or row["pricing_unit"] or row["meter"]: row for row in data}
    assert {kind: (row["available"], row["pending"]) for kind, row in by_kind.items()} == {
        "USD": ("15.00", "7.00"),
        "credits": ("2500.5", "0"),
        "turns": ("1000", "0"),
    }
    assert [(g["balance"], g["expires_at"]) for g in by_kind["USD"]["grants"]] == [
        ("5.00", "2998-01-01T00:00:00Z"),
        ("10.00", None),
        ("7.00", None),
    ]
    # the statement runs by kind
    assert statement(acme) == [
        ("granted", "10.00", "10.00"),
        ("granted", "5.00", "15.00"),
        ("granted", "7.00", "22.00"),
        ("granted", "2500.5", "2500.5"),
        ("granted", "1000", "1000"),
    ]


def test_a_page_of_the_statement_goes_on_with_the_balance_of_the_one_before(acme: Api) -> None:
    for amount in ("1", "2", "3"):
        grant(acme, amount=amount)
    first = acme.get("customers/acme/credit_movements", limit="2").json()
    second = acme.get("customers/acme/credit_movements", limit="2", cursor=first["next_cursor"]).json()
    assert [row["balance"] for row in first["data"] + second["data"]] == ["1.00", "3.00", "6.00"]
    assert second["next_cursor"] is None


def test_voiding_a_grant_takes_back_what_is_left_once(acme: Api) -> None:
    made = grant(acme, amount="30")
    for _ in range(2):
        voided = acme.post(f"credit_grants/{made['id']}/void", {}).json()
        assert (voided["balance"], voided["voided_at"] is not None) == ("0.00", True)
    assert statement(acme) == [("granted", "30.00", "30.00"), ("voided", "-30.00", "0.00")]
    assert available(acme) == {}


@pytest.mark.parametrize(
    ("fields", "pointer"),
    [
        ({"amount": "0"}, "/amount"),
        ({"amount": "-1"}, "/amount"),
        ({"amount": "1.005"}, "/amount"),
        ({"currency": None}, "/currency"),
        ({"currency": "EUR"}, "/currency"),
        ({"meter": "turns"}, "/currency"),
        ({"effective_at": "2027-01-01T00:00:00Z", "expires_at": "2026-01-01T00:00:00Z"}, "/expires_at"),
        ({"rollover_limit": "5"}, "/rollover_days"),
        ({"rollover_limit": "5", "rollover_days": 30}, "/rollover_limit"),
        ({"source": "balance"}, "/source"),
        ({"colour": "red"}, "/colour"),
    ],
)
def test_a_grant_that_makes_no_sense_is_refused(acme: Api, fields: Row, pointer: str) -> None:
    acme.meter("turns", event_type="agent.turn", aggregation="count")
    body = {"customer": "acme", "name": "Welcome", "amount": "100", "currency": "USD"} | fields
    answer = acme.post("credit_grants", {name: value for name, value in body.items() if value is not None})
    assert answer.status_code == 422
    assert pointer in [error["pointer"] for error in answer.json()["errors"]]


def test_grants_belong_to_their_organization(acme: Api, another_api: Api) -> None:
    made = grant(acme)
    assert another_api.get(f"credit_grants/{made['id']}").status_code == 404
    assert another_api.post(f"credit_grants/{made['id']}/void", {}).status_code == 404
    assert another_api.get("credit_grants").json()["data"] == []
    for path in ("credit_balance", "credit_movements"):
        assert another_api.get(f"customers/acme/{path}").status_code == 404
    unknown = acme.post("credit_grants", {"customer": "acme", "name": "x", "amount": "1", "pricing_unit": "none"})
    assert (unknown.status_code, unknown.json()["code"]) == (404, "pricing_unit_not_found")


def test_what_is_left_at_expiry_is_gone(acme: Api) -> None:
    grant(acme, amount="8", effective_at="2026-01-01T00:00:00Z", expires_at="2026-03-01T00:00:00Z")
    grant(acme, amount="2")
    before = datetime(2026, 2, 28, 23, tzinfo=UTC)
    at = datetime(2026, 3, 1, tzinfo=UTC)
    assert (expire_credits(now=before), expire_credits(now=at), expire_credits(now=at)) == (0, 1, 0)
    assert statement(acme)[-1] == ("expired", "-8.00", "2.00")


def test_what_is_rolled_over_takes_the_place_of_what_expires(clocked: Api) -> None:
    made = grant(clocked, amount="8", expires_at="2026-03-01T00:00:00Z", rollover_limit="5", rollover_days=30)
    live_until(2026, 3, 2)
    [left] = clocked.get("customers/acme/credit_balance").json()["data"][0]["grants"]
    assert (left["balance"], left["effective_at"], left["expires_at"]) == (
        "5.00",
        "2026-03-01T00:00:00Z",
        "2026-03-31T00:00:00Z",
    )
    assert statement(clocked) == [
        ("granted", "8.00", "8.00"),
        ("rolled_over", "-5.00", "3.00"),
        ("expired", "-3.00", "0.00"),
        ("granted", "5.00", "5.00"),
    ]
    rows = clocked.get("customers/acme/credit_movements").json()["data"]
    assert {row["occurred_at"] for row in rows[1:]} == {"2026-03-01T00:00:00Z"}
    assert clocked.get(f"credit_grants/{made['id']}").json()["balance"] == "0.00"
    # it is rolled over once
    live_until(2026, 4, 2)
    assert statement(clocked)[-1] == ("expired", "-5.00", "0.00")


def test_customers_on_a_test_clock_do_not_live_by_the_machines(clocked: Api) -> None:
    grant(clocked, amount="8", expires_at="2026-03-01T00:00:00Z")
    assert expire_credits(now=datetime(2030, 1, 1, tzinfo=UTC)) == 0
    assert statement(clocked) == [("granted", "8.00", "8.00")]


def test_a_clock_expires_in_order_of_time(clocked: Api) -> None:
    grant(clocked, amount="1", name="late", expires_at="2026-03-01T00:00:00Z")
    grant(clocked, amount="2", name="soon", expires_at="2026-02-01T00:00:00Z")
    assert live_until(2026, 12, 1) == 2
    assert statement(clocked)[2:] == [("expired", "-2.00", "1.00"), ("expired", "-1.00", "0.00")]


def test_credit_that_has_run_out_waits_for_the_bill_it_may_still_pay(vendor: Api) -> None:
    """October falls due at midnight; its month is closed the day after the grant has expired, and finds it."""
    vendor.customer("acme")
    vendor.post("subscriptions", {"customer": "acme", "plan": "seat", "seats": 1, "starts_at": "2026-10-01T00:00:00Z"})
    grant(vendor, amount="40", effective_at="2026-10-01T00:00:00Z", expires_at="2026-11-01T12:00:00Z")
    now = datetime(2026, 11, 2, tzinfo=UTC)
    assert expire_credits(now=now) == 0
    close_month(organization=vendor.organization, month=Month(2026, 10), now=now)
    [october] = vendor.get("invoices").json()["data"]
    assert (october["credits_applied"], october["amount_due"]) == ("30.00", "0.00")
    assert expire_credits(now=now) == 1
    assert [row[:2] for row in statement(vendor)] == [("granted", "40.00"), ("drawn", "-30.00"), ("expired", "-10.00")]
