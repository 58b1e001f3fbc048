"""What is reserved is nobody else's, until the work is counted, given back, or too late."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from budgets.contracts import ReservationCommitted, ReservationEnded
from budgets.facade import (
    Ask,
    Budget,
    Verdict,
    check_entitlement,
    commit_reservation,
    expire_reservations,
    release_reservation,
    remove_budget,
)
from budgets.models import Hold, Reservation
from budgets.services.reservations import PATIENCE, forget_reservations
from kernel.clock import system_clock
from metering.facade import event_identity
from tests.api import Api
from tests.budgets.conftest import NOW, budget_total, evaluate

pytestmark = pytest.mark.django_db(transaction=True)

Make = Callable[..., Any]
MINUTE = timedelta(minutes=1)


@pytest.fixture
def reserve(vendor: Api) -> Callable[..., Verdict]:
    def make(quantity: Any, now: datetime = NOW, customer: str = "acme", **fields: Any) -> Verdict:
        ask = Ask(customer=customer, meter="turns", quantity=Decimal(quantity), reserve=True, **fields)
        return check_entitlement(organization_id=vendor.organization.pk, ask=ask, now=now)

    return make


@pytest.fixture
def commit(vendor: Api) -> Callable[..., Reservation]:
    def make(verdict: Verdict, now: datetime = NOW, **fields: Any) -> Reservation:
        assert verdict.reservation is not None
        return commit_reservation(
            organization_id=vendor.organization.pk, reservation=verdict.reservation.id, now=now, **fields
        )

    return make


@pytest.fixture
def release(vendor: Api) -> Callable[..., Reservation]:
    def make(verdict: Verdict, now: datetime = NOW) -> Reservation:
        assert verdict.reservation is not None
        return release_reservation(organization_id=vendor.organization.pk, reservation=verdict.reservation.id, now=now)

    return make


def standing(budget: Budget) -> tuple[int, int]:
    """Used and held."""
    total = budget_total(budget)
    return int(total.used), int(total.held)


def state(verdict: Verdict) -> str:
    assert verdict.reservation is not None
    return Reservation.objects.get(pk=verdict.reservation.id).state


def test_what_is_held_is_nobody_elses(budget: Make, reserve: Make, release: Make) -> None:
    one = budget(10)
    first, second = reserve(6), reserve(5)
    assert (first.allowed, second.allowed, second.reason) == (True, False, "limit_reached")
    assert second.reservation is None
    assert standing(one) == (0, 6)
    release(first)
    release(first)
    assert standing(one) == (0, 0)
    assert reserve(10).allowed


def test_committed_work_is_held_until_its_usage_is_counted(
    budget: Make, reserve: Make, commit: Make, turns: Make
) -> None:
    one = budget(10)
    held = reserve(6)
    turns("acme", 6)
    commit(held)
    assert standing(one) == (0, 6)
    evaluate()
    assert (standing(one), state(held)) == ((6, 0), "settled")
    assert not reserve(5).allowed
    assert reserve(4).allowed


def test_usage_that_is_seen_before_the_commit_counts_beside_the_hold_for_that_long(
    budget: Make, reserve: Make, commit: Make, turns: Make
) -> None:
    one = budget(10)
    held = reserve(4)
    turns("acme", 4)
    evaluate()
    assert standing(one) == (4, 4)
    commit(held)
    evaluate()
    assert standing(one) == (4, 0)


def test_named_events_that_come_after_the_commit_are_waited_for(
    vendor: Api, budget: Make, reserve: Make, commit: Make
) -> None:
    one = budget(10)
    held = reserve(2)
    names = [{"source": "spool", "id": f"late-{number}"} for number in range(2)]
    commit(held, events=names)
    evaluate()
    assert (standing(one), state(held)) == ((0, 2), "committed")
    event = {"specversion": "1.0", "type": "agent.turn", "subject": "acme", "time": "2026-10-14T11:00:00Z", "data": {}}
    vendor.post("events", [event | names[0]])
    evaluate()
    assert (standing(one), state(held)) == ((1, 2), "committed"), "one of them is still to come"
    vendor.post("events", [event | names[1]])
    evaluate()
    assert (standing(one), state(held)) == ((2, 0), "settled")


def test_named_events_that_never_come_are_given_up_after_a_day(budget: Make, reserve: Make, commit: Make) -> None:
    one = budget(10, period="total")
    held = reserve(2)
    commit(held, events=[{"source": "spool", "id": "lost"}])
    evaluate(NOW + PATIENCE - MINUTE)
    assert standing(one) == (0, 2)
    expire_reservations(now=NOW + PATIENCE)
    evaluate(NOW + PATIENCE)
    assert (standing(one), state(held)) == ((0, 0), "expired")


def test_a_commit_says_what_was_used_in_fact(budget: Make, reserve: Make, commit: Make) -> None:
    one = budget(10)
    less, more = reserve(6), reserve(4)
    commit(less, quantity=Decimal(1))
    commit(more, quantity=Decimal(7))
    assert standing(one) == (0, 8)


def test_a_commit_in_money_goes_by_the_part_that_was_used(budget: Make, reserve: Make, commit: Make) -> None:
    one = budget(10, measure={"money": "cost"})
    held, told = reserve(4, cost=Decimal(8)), reserve(1, cost=Decimal(2))
    commit(held, quantity=Decimal(1))
    commit(told, cost=Decimal("0.5"))
    assert budget_total(one).held == Decimal("2.5")


def test_committing_twice_is_once_and_what_has_ended_is_not_committed(
    budget: Make, reserve: Make, commit: Make, release: Make
) -> None:
    budget(10)
    held, given_back, late = reserve(1), reserve(1), reserve(1, lifetime=MINUTE)
    commit(held)
    commit(held, quantity=Decimal(9))
    assert Hold.objects.get(reservation=held.reservation.id).amount == 1
    with pytest.raises(ReservationCommitted):
        release(held)
    release(given_back)
    with pytest.raises(ReservationEnded):
        commit(given_back)
    with pytest.raises(ReservationEnded):
        commit(late, NOW + MINUTE)


def test_a_reservation_that_expires_is_free_with_the_usage_it_left(budget: Make, reserve: Make, turns: Make) -> None:
    one = budget(10)
    held = reserve(10, lifetime=MINUTE)
    turns("acme", 4)
    assert not reserve(1, NOW + MINUTE / 2).allowed
    # What it has used is counted before what it held is anybody else's.
    after = NOW + MINUTE
    assert not reserve(7, after).allowed
    assert (state(held), standing(one)) == ("expired", (4, 0))
    assert reserve(6, after).allowed


def test_a_new_period_begins_with_what_is_still_held(budget: Make, reserve: Make, turns: Make) -> None:
    one = budget(10, period="day", scope="customer", customer="acme")
    evening, midnight = datetime(2026, 10, 14, 23, 59, tzinfo=UTC), datetime(2026, 10, 15, tzinfo=UTC)
    turns("acme", 5)
    assert reserve(5, evening).allowed
    assert not reserve(1, evening).allowed
    assert reserve(4, midnight).allowed
    assert standing(one) == (0, 9)


def test_the_periods_of_a_test_clock_are_that_clocks(vendor: Api, budget: Make, reserve: Make, turns: Make) -> None:
    clock = vendor.post("test_clocks", {"now": "2027-03-10T00:00:00Z"}).json()["id"]
    vendor.customer("later", test_clock=clock)
    budget(3, scope="customer", customer="later", period="day")
    turns("later", 2, "2027-03-10T10:00:00Z")
    assert not reserve(2, customer="later").allowed
    vendor.post(f"test_clocks/{clock}/advance", {"to": "2027-03-11T00:00:00Z"})
    assert reserve(2, customer="later").allowed


def test_all_budgets_are_taken_from_or_none(budget: Make, reserve: Make) -> None:
    wide, narrow = budget(10), budget(3, scope="customer", customer="acme")
    assert reserve(3).allowed
    assert not reserve(1).allowed
    assert (standing(wide), standing(narrow)) == ((0, 3), (0, 3))
    assert reserve(7, customer="brock").allowed


def test_a_removed_budget_holds_up_nothing(budget: Make, reserve: Make, commit: Make) -> None:
    one = budget(10)
    held = reserve(2)
    remove_budget(budget=one, now=NOW)
    commit(held)
    evaluate()
    assert evaluate() == 0


def test_what_ended_long_ago_is_forgotten(budget: Make, reserve: Make, release: Make) -> None:
    budget(10)
    release(reserve(1))
    kept = reserve(1)
    assert forget_reservations(now=NOW + timedelta(days=8)) == 1
    assert [one.pk for one in Reservation.objects.all()] == [kept.reservation.id]


def test_reservations_over_the_api(vendor: Api, budget: Make) -> None:
    one = budget(10, period="total")
    body = {"customer": "acme", "meter": "turns", "quantity": "4", "reserve": True, "lifetime_seconds": 60}
    held = vendor.post("entitlements/check", body).json()["reservation"]
    shown = vendor.get(f"reservations/{held['id']}").json()
    assert {"state": "held", "customer": "acme", "meter": "turns", "quantity": "4"}.items() <= shown.items()
    assert shown["expires_at"] == held["expires_at"]
    committed = vendor.post(f"reservations/{held['id']}/commit", {"quantity": "3"})
    assert committed.json()["state"] == "committed"
    assert vendor.post(f"reservations/{held['id']}/release", {}).json()["code"] == "reservation_committed"
    evaluate(system_clock())
    assert vendor.get(f"reservations/{held['id']}").json()["state"] == "settled"
    other = vendor.post("entitlements/check", body).json()["reservation"]
    assert vendor.post(f"reservations/{other['id']}/release", {}).json()["state"] == "released"
    assert vendor.post(f"reservations/{other['id']}/commit", {}).json()["code"] == "reservation_ended"
    assert vendor.get("reservations/rsv_none").json()["code"] == "reservation_not_found"
    assert standing(one) == (0, 0)


def test_an_events_identity_is_that_of_the_log(vendor: Api, turns: Make) -> None:
    from metering.models import EventIdentity

    [name] = turns("acme", 1)
    identity = event_identity(vendor.organization.pk, name["source"], name["id"])
    assert EventIdentity.objects.filter(pk=identity).exists()
