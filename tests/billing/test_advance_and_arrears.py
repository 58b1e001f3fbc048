"""Paying in advance or in arrears comes to the same money, and fees to those of their days, whatever happens between.

Each story is lived by two customers, one of whom pays its fees in advance. What fees should be is worked out day by day
by a model of its own (`fees_by_days`), which knows nothing of invoices.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from fractions import Fraction
from itertools import count
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, Phase, example, given, settings
from hypothesis import strategies as st

from billing.facade import get_subscription
from billing.invariants import check_all
from billing.models import InvoiceLine, Subscription
from kernel.ids import new_id
from tests.api import Api, make_api
from tests.billing.fees_by_days import charged_days, fees_by_days
from tests.billing.test_billing_periods import fee
from tests.billing.test_changes import seats
from tests.examples import examples

#: Many more are worth their time when billing has changed: `LAW_EXAMPLES=300`.
EXAMPLES = int(os.environ.get("LAW_EXAMPLES") or examples(2, thorough=40))
#: A story takes seconds: looking for a shorter one that fails too would take minutes.
PHASES = (Phase.explicit, Phase.reuse, Phase.generate)
_NUMBERS = count()
BILLS = ("in_advance", "in_arrears")
#: The amounts of the fees that the model works out, by plan.
FEES = {"base": [31, 97, 365], "seats": [7, 3, 11]}
INTERVALS = [
    ("day", 1), ("day", 10), ("week", 1), ("week", 2), ("month", 1), ("month", 2), ("quarter", 1), ("year", 1)
]  # fmt: skip
DONE = {"200", "201"}
REFUSED = {
    "subscription_not_running", "not_paused", "add_on_not_found", "interval_mismatch", "already_cancelled",
    "not_cancelled", "subscription_ended", "ends_before_change", "ends_before_start", "ends_in_past", "not_on_trial",
    "ends_with_trial",
}  # fmt: skip
MODELS: list[dict[str, Any]] = [
    {"type": "per_unit", "unit_amount": "0.37"},
    {"type": "graduated", "tiers": [{"up_to": "5", "unit_amount": "1"}, {"up_to": None, "unit_amount": "0.25"}]},
    {"type": "volume", "tiers": [{"up_to": "5", "unit_amount": "1"}, {"up_to": None, "unit_amount": "0.25"}]},
    {"type": "package", "package_size": "4", "package_amount": "3"},
]


@dataclass(frozen=True)
class Step:
    """What happens so many days after the last step, at an hour of the customer's zone."""

    days: int
    hour: int
    action: str
    number: int = 1
    when: str = "now"


@dataclass(frozen=True)
class Story:
    intervals: tuple[tuple[str, int], ...]
    steps: tuple[Step, ...]
    starts: date = date(2024, 1, 1)
    starts_hour: int = 0
    zone: str = "UTC"
    anchor: str = "calendar"
    trial_days: int = 0
    last_days: int = 5
    #: An index of `MODELS`, where there is usage.
    model: int | None = None
    extras: frozenset[str] = field(default_factory=frozenset)


STEPS = st.builds(
    Step,
    days=st.sampled_from([0, 0, 1, 3, 8, 17, 31]),
    hour=st.sampled_from([0, 9, 23]),
    action=st.sampled_from(
        ["plan"] * 4
        + ["seats", "pause", "resume", "turns", "add_on", "remove_add_on"]
        + ["cancel", "end"] * 2
        + ["uncancel"] * 3
        + ["end_trial"]
    ),
    number=st.integers(0, 7),
    when=st.sampled_from(["now", "now", "period_end"]),
)
STORIES = st.builds(
    Story,
    intervals=st.tuples(*[st.sampled_from(INTERVALS)] * 3),
    steps=st.lists(STEPS, min_size=1, max_size=7).map(tuple),
    starts=st.dates(date(2024, 1, 1), date(2025, 12, 31)),
    starts_hour=st.sampled_from([0, 10]),
    zone=st.sampled_from(["UTC", "Europe/Berlin", "America/New_York"]),
    anchor=st.sampled_from(["calendar", "anniversary"]),
    trial_days=st.sampled_from([0, 0, 6]),
    last_days=st.sampled_from([0, 1, 5, 30]),
    model=st.none() | st.integers(0, len(MODELS) - 1),
    extras=st.frozensets(st.sampled_from(["whole", "commitment", "threshold", "seats", "grace"])),
)


@pytest.mark.django_db(transaction=True)
@settings(max_examples=EXAMPLES, deadline=None, phases=PHASES, suppress_health_check=list(HealthCheck))
@given(story=STORIES)
@example(Story((("year", 1), ("month", 1)), (Step(10, 0, "plan", 1), Step(18, 9, "plan", 0), Step(2, 0, "plan", 1))))
@example(Story((("month", 1), ("year", 1), ("week", 1)), (Step(31, 0, "plan", 1), Step(0, 0, "plan", 2)), last_days=0))
@example(
    Story((("month", 1), ("year", 1)), (Step(3, 0, "plan", 1, "period_end"), Step(28, 0, "seats", 5)), last_days=0)
)
@example(  # A change that was invoiced, and then replaced at its own instant
    Story(
        (("month", 2), ("day", 10)),
        (Step(3, 9, "plan", 1), Step(0, 0, "plan", 0), Step(1, 0, "add_on", 6), Step(0, 23, "plan", 0)),
        starts=date(2025, 10, 13),
        zone="America/New_York",
        last_days=1,
    )
)
@example(  # An end in sight, brought forward and back, and taken back when the next period was paid until it
    Story(
        (("month", 1), ("month", 1)),
        (
            Step(3, 9, "end", 40), Step(8, 9, "seats", 5), Step(22, 9, "uncancel"), Step(3, 9, "plan", 1, "period_end"),
            Step(1, 0, "cancel", when="period_end"), Step(1, 9, "end", 20), Step(2, 23, "pause"), Step(3, 0, "resume"),
            Step(1, 9, "end", 4),
        ),
        last_days=30,
        extras=frozenset(["seats"]),
    )
)  # fmt: skip
@example(
    Story(
        (("month", 1), ("year", 1)),
        (Step(1, 9, "plan", 1), Step(1, 9, "seats", 5, "period_end"), Step(1, 9, "end_trial"), Step(17, 0, "end", 14)),
        trial_days=6,
        last_days=30,
        extras=frozenset(["seats"]),
    )
)
@example(  # Cancelled at the instant at which its trial is over, when its first period was paid
    Story(
        (("week", 1), ("week", 2), ("year", 1)),
        (Step(1, 23, "plan", 5),),
        starts=date(2025, 12, 1),
        starts_hour=10,
        zone="Europe/Berlin",
        trial_days=6,
    )
)
@example(  # The same while its first invoice is a draft
    Story((("month", 1), ("month", 1)), (), trial_days=6, last_days=6, extras=frozenset(["grace"]))
)
def test_in_advance_and_in_arrears_come_to_the_same(story: Story) -> None:
    api = make_api(f"Law {next(_NUMBERS)}")
    subscriptions = _live(api, story)
    lines = {bill: _lines(api, bill) for bill in BILLS}
    sums = {bill: sum((line.amount for line in found), Decimal(0)) for bill, found in lines.items()}
    bound = sum((_rounded(found) for found in lines.values()), Decimal(0))
    assert abs(sums["in_advance"] - sums["in_arrears"]) <= bound, (sums, bound)
    for bill, found in lines.items():
        days = list(charged_days(subscriptions[bill]))
        for key, amounts in FEES.items():
            if key == "seats" and "seats" not in story.extras:
                continue
            mine = [line for line in found if line.price is not None and line.price.key == key]
            expected = fees_by_days(days, _by_plan(amounts, bill), by_seats=key == "seats")
            billed = sum((line.amount for line in mine), Decimal(0))
            assert abs(Fraction(billed) - expected) <= _rounded(mine), (bill, key, billed, float(expected))
    assert not [broken for _, broken in check_all(api.organization.pk) if broken]
    invoices = api.get("invoices", limit="1000").json()["data"]
    assert all(one["lines"] for one in invoices if one["status"] != "skipped")


def _rounded(lines: list[InvoiceLine]) -> Decimal:
    """How far sums may be off: every line is rounded once, to half a cent, and so is every part that is settled."""
    return Decimal("0.005") * sum(1 + (len(line.breakdown) if line.role == "settlement" else 0) for line in lines)


def _lines(api: Api, customer: str) -> list[InvoiceLine]:
    rows = InvoiceLine.objects.filter(invoice__organization=api.organization, invoice__customer__key=customer)
    return list(rows.select_related("price").order_by("invoice_id", "position"))


def _by_plan(amounts: list[int], bill: str) -> dict[str, int]:
    return {f"p{number}-{bill}": amount for number, amount in enumerate(amounts)}


def _live(api: Api, story: Story) -> dict[str, Subscription]:
    """Live the story with a customer of each kind, to its end; their subscriptions as they were."""
    zone = ZoneInfo(story.zone)
    now = datetime.combine(story.starts, time(story.starts_hour), zone)
    clock = api.post("test_clocks", {"now": now.isoformat()}).json()["id"]
    if "grace" in story.extras:
        assert api.patch("billing_policy", {"grace_hours": 30}).status_code == 200
    api.meter("turns", event_type="agent.turn", aggregation="count")
    ids = {bill: _subscribe(api, clock, bill, now, story) for bill in BILLS}
    day = story.starts
    for step in story.steps:
        day += timedelta(days=step.days)
        now = max(now, datetime.combine(day, time(step.hour), zone))
        _advance(api, clock, now)
        answers = [_act(api, step, now, bill, subscription) for bill, subscription in ids.items()]
        assert answers[0] == answers[1]
        assert answers[0] in DONE | REFUSED
    now = max(now, datetime.combine(day + timedelta(days=story.last_days), time(), zone))
    _advance(api, clock, now)
    for subscription in ids.values():
        answer = api.post(f"subscriptions/{subscription}/cancel", {"when": "now"})
        assert answer.status_code == 200 or answer.json()["code"] == "already_cancelled"
    _advance(api, clock, now + timedelta(days=3))
    return {
        bill: get_subscription(organization_id=api.organization.pk, subscription=subscription)
        for bill, subscription in ids.items()
    }


def _act(api: Api, step: Step, now: datetime, bill: str, subscription: str) -> str:
    """Do what the step says; the answer's status, or the code of its refusal."""
    if step.action == "turns":
        event = {"specversion": "1.0", "source": "law", "type": "agent.turn", "subject": bill, "time": now.isoformat()}
        events = [event | {"id": new_id("e")} for _ in range(step.number + 1)]
        return str(api.post("events", events).status_code)
    path, body = {
        "plan": ("change", {"plan": f"p{step.number % 3}-{bill}", "when": step.when}),
        "seats": ("change", {"seats": step.number % 5 + 1, "when": step.when}),
        "cancel": ("cancel", {"when": step.when}),
        "add_on": ("add_ons", {"plan": f"x{step.number % 3}-{bill}", "quantity": step.number + 1}),
        "remove_add_on": (f"add_ons/x{step.number % 3}-{bill}/remove", {"when": step.when}),
    }.get(step.action, (step.action, {}))
    if step.action == "end":
        body = {"ends_at": (now + timedelta(days=step.number)).isoformat()}
        answer = api.patch(f"subscriptions/{subscription}", body)
    else:
        answer = api.post(f"subscriptions/{subscription}/{path}", body)
    return str(answer.status_code) if answer.status_code < 400 else str(answer.json()["code"])


def _subscribe(api: Api, clock: str, bill: str, starts_at: datetime, story: Story) -> str:
    api.customer(bill, test_clock=clock, timezone=story.zone)
    adds = any(step.action == "add_on" for step in story.steps)
    for number, (interval, length) in enumerate(story.intervals):
        given = {"currency": "USD", "interval": interval, "interval_count": length}
        fields: dict[str, Any] = {}
        prices = [fee(str(FEES["base"][number]), key="base", bill=bill)]
        if "seats" in story.extras:
            prices.append(seats(str(FEES["seats"][number]), bill=bill))
        if "whole" in story.extras:
            prices.append(fee("9.00", key="whole", bill=bill, prorate=False))
        if story.model is not None:
            model = MODELS[(story.model + number) % len(MODELS)]
            prices.append({"key": "turns", "kind": "usage", "meter": "turns", "included": "2", "model": model})
            fields = {"invoice_threshold": "2"} if "threshold" in story.extras else {}
        if "commitment" in story.extras:
            fields["minimum_commitment"] = "40"
        _plan(api, {"key": f"p{number}-{bill}", "prices": prices} | given | fields)
        if adds:
            extra = fee("12.10", key="extra", bill=bill), seats("2.20", key="units", bill=bill)
            _plan(api, {"key": f"x{number}-{bill}", "prices": list(extra), "add_on": True} | given)
    body = {"customer": bill, "plan": f"p0-{bill}", "starts_at": starts_at.isoformat(), "anchor": story.anchor}
    answer = api.post("subscriptions", body | {"trial_days": story.trial_days, "seats": 3})
    assert answer.status_code == 201, answer.content
    return str(answer.json()["id"])


def _plan(api: Api, body: dict[str, Any]) -> None:
    answer = api.post("plans", body)
    assert answer.status_code == 201, answer.content


def _advance(api: Api, clock: str, to: datetime) -> None:
    answer = api.post(f"test_clocks/{clock}/advance", {"to": to.isoformat()})
    assert answer.status_code == 200, answer.content
