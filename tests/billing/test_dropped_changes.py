"""Changes to come that a later change drops are named to the one that makes it, to listeners and in the audit trail."""

from __future__ import annotations

import json
from typing import Any

import pytest

from accounts.models import AuditEntry
from notifications.models import WebhookEvent
from tests.api import Api
from tests.billing.test_billing_periods import fee

JUNE, MAY = "2026-06-01T00:00:00Z", "2026-05-01T00:00:00Z"


@pytest.fixture
def subscription(vendor: Api) -> str:
    """On a test clock in May 2026, with 5 seats and another plan to come on 1 June."""
    prices = [fee("30.00"), {"key": "seats", "kind": "seat", "model": {"type": "per_unit", "unit_amount": "1"}}]
    for key in ("p", "q", "r"):
        assert vendor.post("plans", {"key": key, "currency": "USD", "prices": prices}).status_code == 201
    clock = vendor.post("test_clocks", {"now": "2026-05-10T00:00:00Z"}).json()["id"]
    vendor.customer("acme", test_clock=clock)
    body = {"customer": "acme", "plan": "p", "seats": 2, "starts_at": MAY}
    made = str(vendor.post("subscriptions", body).json()["id"])
    hook = {"url": "http://127.0.0.1:9000/hooks", "event_types": ["subscription.changed"]}
    assert vendor.post("webhook_endpoints", hook).status_code == 201
    assert change(vendor, made, seats=5, when="period_end")["dropped_changes"] == []
    assert change(vendor, made, plan="q", when="period_end")["dropped_changes"] == []
    return made


def change(vendor: Api, subscription: str, **body: Any) -> dict[str, Any]:
    answer = vendor.post(f"subscriptions/{subscription}/change", body)
    assert answer.status_code == 200, answer.content
    return dict(answer.json())


SEATS_TO_COME = {"plan": None, "plan_version": None, "seats": 5, "starts_at": JUNE}
PLAN_TO_COME = {"plan": "q", "plan_version": 1, "seats": None, "starts_at": JUNE}


@pytest.mark.parametrize("when", ["now", "period_end"])
@pytest.mark.parametrize(
    ("body", "dropped"),
    [
        ({"seats": 3}, [SEATS_TO_COME]),
        ({"plan": "r"}, [PLAN_TO_COME]),
        ({"plan": "r", "seats": 3}, [PLAN_TO_COME, SEATS_TO_COME]),
    ],
)
def test_what_a_change_drops_is_told(
    vendor: Api, subscription: str, when: str, body: dict[str, Any], dropped: list[dict[str, Any]]
) -> None:
    answer = change(vendor, subscription, when=when, **body)
    assert answer["dropped_changes"] == dropped
    detail = AuditEntry.objects.get(detail__has_key="dropped_changes").detail
    assert [one["starts_at"][:10] for one in detail["dropped_changes"]] == ["2026-06-01"] * len(dropped)
    events = [json.loads(one.body)["data"] for one in WebhookEvent.objects.filter(type="subscription.changed")]
    assert [one["dropped_changes"] for one in events if one["dropped_changes"]] == [dropped]
    assert vendor.get(f"subscriptions/{subscription}").json()["dropped_changes"] == []


def test_prices_of_its_own_drop_the_plan_to_come(vendor: Api, subscription: str) -> None:
    own = {"when": "now", "prices": [{"key": "fee", "model": {"type": "flat", "amount": "20"}}]}
    answer = vendor.post(f"subscriptions/{subscription}/overrides", own)
    assert answer.json()["dropped_changes"] == [PLAN_TO_COME], answer.content
