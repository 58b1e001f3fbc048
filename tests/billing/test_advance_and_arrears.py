"""Paying in advance or in arrears comes to the same money, whatever happens in between."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import count
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.api import Api, make_api
from tests.billing.test_billing_periods import fee
from tests.billing.test_changes import seats

_EXAMPLES = count()

START = datetime(2024, 1, 1, tzinfo=UTC)

#: What may happen to a subscription, with what the API is asked; a number is put in where there is none.
HAPPENINGS: list[tuple[str, Callable[[int], dict[str, Any]]]] = [
    ("change", lambda number: {"seats": number}),
    ("change", lambda number: {"seats": number, "when": "period_end"}),
    ("change", lambda number: {"plan": "small" if number % 2 else "large"}),
    ("change", lambda number: {"plan": "small" if number % 2 else "large", "when": "period_end"}),
    ("pause", lambda _: {}),
    ("resume", lambda _: {}),
]
STORY = st.lists(
    st.tuples(st.integers(1, 25), st.integers(0, len(HAPPENINGS) - 1), st.integers(1, 9)), min_size=1, max_size=6
)


@pytest.mark.django_db(transaction=True)
@settings(max_examples=8, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    story=STORY, first=st.integers(0, 30), anchor=st.sampled_from(["calendar", "anniversary"]), last=st.integers(1, 40)
)
def test_in_advance_and_in_arrears_come_to_the_same(
    story: list[tuple[int, int, int]], first: int, anchor: str, last: int
) -> None:
    api = make_api(f"Law {next(_EXAMPLES)}")
    clock = api.post("test_clocks", {"now": START.isoformat()}).json()["id"]
    starts_at = START + timedelta(days=first)
    subscriptions = {bill: _subscribe(api, clock, bill, starts_at, anchor) for bill in ("in_advance", "in_arrears")}
    now = starts_at
    for days, index, number in story:
        now += timedelta(days=days, hours=number)
        _advance(api, clock, now)
        action, body = HAPPENINGS[index]
        for bill, subscription in subscriptions.items():
            asked = body(number)
            if "plan" in asked:
                asked["plan"] += f"-{bill}"
            assert api.post(f"subscriptions/{subscription}/{action}", asked).status_code in (200, 409)
    now += timedelta(days=last)
    _advance(api, clock, now)
    for subscription in subscriptions.values():
        assert api.post(f"subscriptions/{subscription}/cancel", {"when": "now"}).status_code == 200
    _advance(api, clock, now + timedelta(days=70))
    invoices = {bill: api.get("invoices", customer=bill, limit="1000").json()["data"] for bill in subscriptions}
    totals = {bill: sum(Decimal(one["subtotal"]) for one in found) for bill, found in invoices.items()}
    lines = sum(len(one["lines"]) for found in invoices.values() for one in found)
    # Each line is rounded once, so that they may differ by half a cent a line.
    assert abs(totals["in_advance"] - totals["in_arrears"]) <= Decimal("0.005") * lines, (totals, story)


def _subscribe(api: Api, clock: str, bill: str, starts_at: datetime, anchor: str) -> str:
    for key, amount in (("small", "31.00"), ("large", "97.00")):
        prices = [fee(amount, bill=bill), seats("7.00", bill=bill)]
        assert api.post("plans", {"key": f"{key}-{bill}", "currency": "USD", "prices": prices}).status_code == 201
    api.customer(bill, test_clock=clock, timezone="Europe/Berlin")
    body = {"customer": bill, "plan": f"small-{bill}", "starts_at": starts_at.isoformat(), "seats": 3, "anchor": anchor}
    return str(api.post("subscriptions", body).json()["id"])


def _advance(api: Api, clock: str, to: datetime) -> None:
    answer = api.post(f"test_clocks/{clock}/advance", {"to": to.isoformat()})
    assert answer.status_code == 200, answer.content
