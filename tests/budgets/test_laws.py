"""Whatever agents do and in whatever order, a budget's books are right and nobody goes beyond it."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from budgets.contracts import ReservationEnded
from budgets.facade import (
    Ask,
    check_entitlement,
    commit_reservation,
    create_budget,
    evaluate_budgets,
    expire_reservations,
    release_reservation,
)
from budgets.models import Crossing, Hold, Reservation, RunningTotal
from metering.facade import ingest
from tests.api import make_api
from tests.budgets.conftest import NOW
from tests.examples import examples

STOP = 12
LIFETIME = timedelta(minutes=5)

_numbers = itertools.count()


@dataclass
class Work:
    """What an agent has reserved and not ended: so many turns, of which so many have been sent."""

    reservation: str
    quantity: int
    expires_at: datetime
    sent: list[dict[str, str]] = field(default_factory=list)


class Agents(RuleBasedStateMachine):
    """Agents that keep to the rule: reserve, use no more than that, then commit or release, or die."""

    def __init__(self) -> None:
        super().__init__()
        self.api = make_api(f"Vendor {next(_numbers)}")
        self.api.meter("turns", event_type="agent.turn", aggregation="count")
        self.api.customer("acme")
        self.organization_id = self.api.organization.pk
        self.budget = create_budget(
            organization=self.api.organization,
            key="turns",
            measure={"meter": "turns"},
            amount=Decimal(STOP),
            period="total",
            thresholds=[{"percent": "50", "actions": ["webhook"]}, {"percent": "100", "actions": ["stop"]}],
        )
        self.now = NOW
        self.working: list[Work] = []
        self.spooled: list[dict[str, str]] = []
        self.in_log = self.numbers = 0

    def total(self) -> RunningTotal:
        return RunningTotal.objects.get(budget=self.budget)

    def send(self, names: list[dict[str, str]]) -> None:
        event = {"specversion": "1.0", "type": "agent.turn", "subject": "acme", "time": "2026-10-14T11:00:00Z"}
        result = ingest(
            organization_id=self.organization_id, events=[event | name for name in names], received_at=self.now
        )
        assert result.accepted == len(names)
        self.in_log += len(names)

    def names(self, number: int) -> list[dict[str, str]]:
        self.numbers += number
        return [{"source": "test", "id": f"turn-{self.numbers - one}"} for one in range(number)]

    @rule(quantity=st.integers(1, 8))
    def reserve(self, quantity: int) -> None:
        ask = Ask(customer="acme", meter="turns", quantity=Decimal(quantity), reserve=True, lifetime=LIFETIME)
        verdict = check_entitlement(organization_id=self.organization_id, ask=ask, now=self.now)
        total = self.total()
        if verdict.reservation is None:
            assert total.used + total.held + quantity > STOP, "it is refused only where there is no room"
            return
        assert total.used + total.held <= STOP
        self.working.append(Work(verdict.reservation.id, quantity, verdict.reservation.expires_at))

    @precondition(lambda self: self.working)
    @rule(data=st.data())
    def use(self, data: st.DataObject) -> None:
        one = data.draw(st.sampled_from(self.working))
        if one.expires_at <= self.now or len(one.sent) == one.quantity:
            return
        names = self.names(data.draw(st.integers(1, one.quantity - len(one.sent))))
        self.send(names)
        one.sent += names

    @precondition(lambda self: self.working)
    @rule(data=st.data(), is_spooled=st.booleans(), names_events=st.booleans(), says_quantity=st.booleans())
    def commit(self, data: st.DataObject, is_spooled: bool, names_events: bool, says_quantity: bool) -> None:
        """With events that come later, an agent has to name them."""
        one = data.draw(st.sampled_from(self.working))
        self.working.remove(one)
        late = self.names(one.quantity - len(one.sent)) if is_spooled else []
        used = [*one.sent, *late]
        try:
            commit_reservation(
                organization_id=self.organization_id,
                reservation=one.reservation,
                now=self.now,
                quantity=Decimal(len(used)) if says_quantity else None,
                events=used if names_events or late else (),
            )
        except ReservationEnded:
            assert one.expires_at <= self.now
        else:
            self.spooled += late

    @precondition(lambda self: self.spooled)
    @rule(data=st.data())
    def arrive(self, data: st.DataObject) -> None:
        number = data.draw(st.integers(1, len(self.spooled)))
        self.send(self.spooled[:number])
        del self.spooled[:number]

    @precondition(lambda self: any(not one.sent for one in self.working))
    @rule()
    def release(self) -> None:
        one = next(one for one in self.working if not one.sent)
        self.working.remove(one)
        release_reservation(organization_id=self.organization_id, reservation=one.reservation, now=self.now)

    @rule()
    def wait(self) -> None:
        self.now += timedelta(minutes=2)

    @rule()
    def expire(self) -> None:
        expire_reservations(now=self.now)

    @rule()
    def evaluate(self) -> None:
        evaluate_budgets(now=self.now)
        assert self.total().used == self.in_log

    @invariant()
    def nobody_has_used_more_than_there_is(self) -> None:
        assert self.in_log + len(self.spooled) <= STOP

    @invariant()
    def what_is_used_and_held_never_falls_short_of_the_log(self) -> None:
        total = self.total()
        assert total.used + total.held >= self.in_log
        unsettled = Hold.objects.filter(total=total, is_settled=False).values_list("amount", flat=True)
        assert total.held == sum(unsettled)

    @invariant()
    def thresholds_are_told_of_once(self) -> None:
        percents = list(Crossing.objects.filter(budget=self.budget).values_list("percent", flat=True))
        assert len(percents) == len(set(percents))
        assert (Decimal(50) in percents) == (self.total().used * 2 >= STOP)

    def teardown(self) -> None:
        """Once all has arrived and ended, what is used is what the log says and nothing is held."""
        self.send(self.spooled)
        self.now += timedelta(days=2)
        expire_reservations(now=self.now)
        evaluate_budgets(now=self.now)
        total = self.total()
        assert (total.used, total.held) == (self.in_log, 0)
        live = Reservation.objects.filter(organization=self.organization_id, state__in=["held", "committed"])
        assert not live.exists()


@pytest.mark.django_db(transaction=True)
def test_the_laws_of_a_budget() -> None:
    run_state_machine_as_test(
        Agents, settings=settings(max_examples=examples(6, thorough=60), stateful_step_count=25, deadline=None)
    )
