"""A customer who subscribes to a plan again: no day is charged twice, whatever happened to the one before.

A day costs 1.00 of a month of 31 days; what days should cost is worked out by a model of its own (`fees_by_days`).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from itertools import count
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from billing.facade import get_subscription
from billing.invariants import check_all
from billing.models import InvoiceLine, Subscription
from tests.api import Api, make_api
from tests.billing.clocked import Clocked, fee, usage
from tests.billing.documents.valid import BUYER, name_the_seller
from tests.billing.fees_by_days import charged_days, fees_by_days
from tests.billing.test_advance_and_arrears import EXAMPLES, PHASES
from tests.billing.test_ends import JANUARY, act, shown, sound, totals

pytestmark = pytest.mark.django_db(transaction=True)

_NUMBERS = count()


@pytest.fixture
def clocked(api: Api) -> Clocked:
    name_the_seller(api)
    found = Clocked.at(api, JANUARY)
    api.meter("turns", event_type="agent.turn", aggregation="count")
    found.customer("acme", **BUYER)
    found.plan("month", fee("31", bill="in_advance"))
    found.plan("metered", fee("31", bill="in_advance"), usage("1"))
    return found


def again(clocked: Clocked, plan: str, starts_at: str, **fields: Any) -> str:
    """Subscribe; the subscription's id, or the code of the refusal."""
    body = {"customer": "acme", "plan": plan, "starts_at": starts_at} | fields
    answer = clocked.api.post("subscriptions", body).json()
    return str(answer["code"] if "code" in answer else answer["id"])


@pytest.mark.parametrize(
    ("ended", "began", "days"),
    [
        ("2025-01-11T10:00:00Z", "2025-01-11T12:00:00Z", 10),
        ("2025-01-01T01:00:00Z", "2025-01-01T02:00:00Z", 0),  # within its first day
        ("2025-02-01T10:00:00Z", "2025-02-01T12:00:00Z", 31),  # on the first day of its second period, which was paid
        ("2025-01-31T10:00:00Z", "2025-01-31T12:00:00Z", 30),  # on a period's last day
    ],
)
def test_the_day_on_which_one_ends_and_another_begins_is_charged_to_the_new_one(
    clocked: Clocked, ended: str, began: str, days: int
) -> None:
    first = clocked.subscribe("acme", "metered", JANUARY)
    clocked.advance(ended)
    clocked.turns("acme", 2, ended[:11] + "00:00:00Z")
    assert act(clocked, first, "cancel", when="now") == "200"
    clocked.advance(began)
    second = clocked.subscribe("acme", "metered", began)
    clocked.turns("acme", 3, began)
    assert shown(clocked, first)["continued_by"] == second
    clocked.advance("2025-03-01T00:00:00Z")
    lines = InvoiceLine.objects.filter(invoice__organization=clocked.api.organization)
    base = sum(line.amount for line in lines if line.price and line.price.key == "base")
    turns = sum(line.amount for line in lines if line.price and line.price.key == "turns")
    assert (base, turns) == (93, 5)  # January, February and March in advance; each turn at 1.00, under its own
    of_first = [line for line in lines if line.invoice.subscription_id == first and line.price]
    fees = sum(line.amount for line in of_first if line.price and line.price.key == "base")
    assert fees == days
    assert sound(clocked)


def test_a_second_subscription_is_refused_while_the_first_is_charged(clocked: Clocked) -> None:
    first = clocked.subscribe("acme", "month", JANUARY)
    clocked.advance("2025-01-11T10:00:00Z")
    assert act(clocked, first, "cancel", when="period_end") == "200"
    assert again(clocked, "month", "2025-01-11T10:00:00Z") == "already_subscribed"
    assert again(clocked, "month", "2025-01-31T23:00:00Z", usage="named").startswith("sub_")
    clocked.advance("2025-01-31T09:00:00Z")
    second = again(clocked, "month", "2025-02-01T00:00:00Z")
    assert second.startswith("sub_")
    for action, body in (("uncancel", {}), ("patch", {"ends_at": "2025-02-02T00:00:00Z"})):
        assert act(clocked, first, action, **body) == "already_subscribed"
    # Beyond the last instant of January, the first would be charged for a day that is the second's
    assert act(clocked, first, "patch", ends_at="2025-02-01T00:00:01Z") == "200"
    assert shown(clocked, first)["continued_by"] == second
    assert act(clocked, second, "cancel", when="now") == "200"  # it never begins
    assert shown(clocked, first)["continued_by"] is None
    assert act(clocked, first, "uncancel") == "200"


def test_a_day_that_is_invoiced_is_not_charged_again(clocked: Clocked) -> None:
    first = clocked.subscribe("acme", "month", JANUARY, ends_at="2025-01-11T10:00:00Z")
    clocked.advance("2025-01-20T00:00:00Z")
    assert again(clocked, "month", "2025-01-11T12:00:00Z") == "already_subscribed"
    assert again(clocked, "month", "2025-01-12T00:00:00Z").startswith("sub_")
    clocked.advance("2025-02-01T00:00:00Z")
    assert (totals(clocked), shown(clocked, first)["continued_by"]) == (["11.00", "20.00", "31.00"], None)


def test_days_charged_twice_are_found_every_night(clocked: Clocked, monkeypatch: pytest.MonkeyPatch) -> None:
    """The old fault, put back: another subscription to a plan shared no day with the one before."""
    monkeypatch.setattr("billing.subscriptions.subscribing.share_days", lambda subscription, **_: None)
    monkeypatch.setattr("billing.subscriptions.ends.share_days", lambda subscription, **_: None)
    clocked.customer("globex")

    def found() -> list[str]:
        laws = dict(check_all(clocked.api.organization.pk))
        return [one.detail for one in laws["no day of a plan is charged by two subscriptions"]]

    now = "2025-01-11T10:00:00Z"
    firsts = [clocked.subscribe(customer, "month", JANUARY) for customer in ("acme", "globex")]
    clocked.advance(now)
    for first, when in zip(firsts, ("now", "period_end"), strict=True):
        assert act(clocked, first, "cancel", when=when) == "200"
    seconds = [clocked.subscribe(customer, "month", now) for customer in ("acme", "globex")]
    twice = [
        f"{customer}: it and {first} both charge 2025-01-11 of the plan 'month'"
        for customer, first in zip(("acme", "globex"), firsts, strict=True)
    ]
    assert found() == twice
    clocked.advance("2025-02-02T00:00:00Z")
    assert found() == twice
    monkeypatch.undo()
    Subscription.objects.filter(pk=firsts[0]).update(continued_by=seconds[0], continued_on="2025-01-11")
    # One that is meant to run beside another, and what follows another
    clocked.subscribe("acme", "month", "2025-02-02T00:00:00Z")
    assert act(clocked, seconds[1], "cancel", when="now") == "200"
    clocked.subscribe("globex", "month", "2025-02-02T00:00:00Z")
    assert found() == twice[1:]


@dataclass(frozen=True)
class Step:
    """What the customer does with the last subscription, so many hours after the step before."""

    hours: int
    action: str
    days: int = 0


STEPS = st.builds(
    Step,
    hours=st.sampled_from([0, 1, 3, 15, 24, 100, 400]),
    action=st.sampled_from(["again"] * 4 + ["now"] * 2 + ["period_end", "uncancel", "patch", "end_trial", "pause"]),
    days=st.sampled_from([0, 1, 20, 31]),
)
REFUSED = {
    "already_subscribed", "already_cancelled", "not_cancelled", "subscription_ended", "not_on_trial",
    "subscription_not_running", "ends_before_start", "ends_with_trial", "already_invoiced",
}  # fmt: skip


@settings(max_examples=EXAMPLES, deadline=None, phases=PHASES, suppress_health_check=list(HealthCheck))
@given(
    steps=st.lists(STEPS, min_size=2, max_size=8),
    zone=st.sampled_from(["UTC", "America/New_York"]),
    anchor=st.sampled_from(["calendar", "anniversary"]),
    bill=st.sampled_from(["in_advance", "in_arrears"]),
    trial=st.sampled_from([0, 3]),
)
@example(
    [Step(400, "now"), Step(0, "again"), Step(1, "now"), Step(1, "again"), Step(24, "patch", 20), Step(100, "again")],
    "UTC", "calendar", "in_advance", 0,
)  # fmt: skip
@example(
    [Step(15, "end_trial"), Step(400, "period_end"), Step(24, "again", 31), Step(3, "uncancel"), Step(1, "patch", 1)],
    "America/New_York", "anniversary", "in_advance", 3,
)  # fmt: skip
@example(  # Cancelled and subscribed to again at the instant at which it began, or its trial ended
    [Step(0, "now"), Step(0, "again"), Step(0, "now"), Step(0, "again"), Step(0, "end_trial"), Step(0, "now")],
    "UTC", "calendar", "in_advance", 0,
)  # fmt: skip
def test_no_day_is_charged_twice(steps: list[Step], zone: str, anchor: str, bill: str, trial: int) -> None:
    now = datetime(2025, 1, 9, 7, tzinfo=UTC)
    clocked = Clocked.at(make_api(f"Again {next(_NUMBERS)}"), now.isoformat())
    clocked.customer("acme", timezone=zone)
    clocked.plan("month", fee("31", bill=bill), trial_days=trial, trial_once_per_customer=True)
    made = [clocked.subscribe("acme", "month", now.isoformat(), anchor=anchor)]
    for step in steps:
        now += timedelta(hours=step.hours)
        clocked.advance(now.isoformat())
        if step.action == "again":
            if shown(clocked, made[-1])["ends_at"] is None:
                continue  # it would be meant to run beside it
            begins = (now + timedelta(days=step.days)).isoformat()
            answer = again(clocked, "month", begins, anchor=anchor, key=f"number-{next(_NUMBERS)}")
            made += [answer] if answer.startswith("sub_") else []
        elif step.action == "patch":
            answer = act(clocked, made[-1], "patch", ends_at=(now + timedelta(days=step.days)).isoformat())
        elif step.action in {"now", "period_end"}:
            answer = act(clocked, made[-1], "cancel", when=step.action)
        else:
            answer = act(clocked, made[-1], step.action)
        assert answer in REFUSED | {"200"} or answer.startswith("sub_"), (step, answer)
    for one in made:
        act(clocked, one, "cancel", when="now")
    clocked.advance((now + timedelta(days=70)).isoformat())
    found = [get_subscription(organization_id=clocked.api.organization.pk, subscription=one) for one in made]
    days = [day for one in found for day in charged_days(one)]
    assert len({one.day for one in days}) == len(days), days
    lines = list(InvoiceLine.objects.filter(invoice__organization=clocked.api.organization))
    billed = sum((line.amount for line in lines), Decimal(0))
    expected = fees_by_days(days, {"month": 31}, by_seats=False)
    assert abs(Fraction(billed) - expected) <= Fraction(len(lines) + len(days), 200), (billed, float(expected))
    assert not [broken for _, broken in check_all(clocked.api.organization.pk) if broken]
