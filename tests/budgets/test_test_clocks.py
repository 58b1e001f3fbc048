"""Budgets of customers on a test clock: evaluated with their usage like all others, at the clock's time."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from budgets.models import Crossing
from notifications.models import Mail, WebhookEvent
from tests.api import Api
from tests.budgets.conftest import NOW, crossed, evaluate
from tests.budgets.test_alerts import used

pytestmark = pytest.mark.django_db(transaction=True)

Make = Callable[..., Any]

TURNS = {"key": "turns", "kind": "usage", "meter": "turns", "model": {"type": "per_unit", "unit_amount": "1"}}


@pytest.mark.parametrize("held", [datetime(2027, 3, 10, 9, tzinfo=UTC), datetime(2026, 2, 10, 9, tzinfo=UTC)])
def test_usage_that_comes_while_the_clock_stands_still_counts_at_its_time(
    vendor: Api, budget: Make, turns: Make, held: datetime
) -> None:
    clock = vendor.post("test_clocks", {"now": f"{held:%Y-%m}-01T00:00:00Z"}).json()["id"]
    vendor.customer("held", test_clock=clock)
    vendor.post("plans", {"key": "dollar", "currency": "USD", "prices": [TURNS]})
    vendor.post("subscriptions", {"customer": "held", "plan": "dollar"})
    assert vendor.post(f"test_clocks/{clock}/advance", {"to": held.isoformat()}).status_code == 200
    vendor.post("webhook_endpoints", {"url": "https://example.com/hook", "event_types": ["budget.threshold_reached"]})
    spend: dict[str, Any] = {"measure": {"money": "spend"}}
    budgets = [
        budget(10, scope="customer", customer="held", period="day"),
        budget(10, scope="customer", customer="held", period="billing_period", **spend),
        budget(10, scope="plan", plan="dollar", period="month", **spend),
    ]
    turns("held", 8, f"{held:%Y-%m-%d}T08:00:00Z")
    evaluate()
    assert [crossed(one) for one in budgets] == [[("80", "8")], [("80", "8.00")], [("80", "8.00")]]
    later = NOW + timedelta(days=3)  # the machine's days pass, and the clock's does not
    evaluate(later)
    assert [used(one) for one in budgets] == ["8", "8.00", "8.00"]
    turns("held", 4, f"{held:%Y-%m-%d}T08:30:00Z")
    evaluate(later + timedelta(minutes=2))
    assert [crossed(one)[1:] for one in budgets] == [[("100", "12")], [("100", "12.00")], [("100", "12.00")]]
    own = Crossing.objects.filter(budget__in=budgets[:2])
    assert {(one.crossed_at, one.period_start <= held < one.period_end) for one in own} == {(held, True)}
    assert {one.at for one in WebhookEvent.objects.filter(subject__in=[one.pk for one in budgets[:2]])} == {held}
    shared = Crossing.objects.filter(budget=budgets[2]).order_by("id")
    assert [one.crossed_at for one in shared] == [NOW, later + timedelta(minutes=2)], (
        "the plan's budget is the machine's"
    )
    assert {one.created_at for one in Mail.objects.filter(kind="budget_reached")} <= {NOW}
