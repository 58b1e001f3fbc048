"""Many agents at once, and processes that die between two steps."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection

from budgets.facade import Ask, check_entitlement, commit_reservation, evaluate_budgets, release_reservation
from budgets.models import Crossing, Hold, Reservation
from budgets.services import evaluation
from notifications.models import Mail
from tests.api import Api
from tests.budgets.conftest import NOW, budget_total, crossed, evaluate

pytestmark = pytest.mark.django_db(transaction=True)

Make = Callable[..., Any]
AGENTS = 100


def in_threads(number: int, work: Callable[[int], Any], *, at_once: int = 20) -> list[Any]:
    """What `work` answers for each number, done by so many threads with connections of their own."""

    def run(one: int) -> Any:
        try:
            return work(one)
        finally:
            connection.close()

    with ThreadPoolExecutor(at_once) as threads:
        return list(threads.map(run, range(number)))


def test_a_hundred_agents_at_once_cannot_reserve_more_than_there_is(vendor: Api, budget: Make) -> None:
    wide = budget(100, key="wide")
    narrow = budget("40.5", key="narrow", scope="customer", customer="brock")
    evaluate()

    def work(number: int) -> Decimal:
        quantity = Decimal(number % 7 + 1) / 2
        ask = Ask(customer=("acme", "brock")[number % 2], meter="turns", quantity=quantity, reserve=True)
        verdict = check_entitlement(organization_id=vendor.organization.pk, ask=ask, now=NOW)
        return quantity if verdict.allowed else Decimal(0)

    taken = in_threads(AGENTS, work)
    by_brock = sum(taken[1::2])
    assert by_brock <= Decimal("40.5")
    assert (budget_total(wide).held, budget_total(narrow).held) == (sum(taken), by_brock)
    assert 97 <= sum(taken) <= 100, "what is left is less than anybody asked for"


def test_agents_that_reserve_work_and_commit_while_usage_is_counted_never_use_more(
    vendor: Api, budget: Make, turns: Make
) -> None:
    one = budget(60, scope="customer", customer="acme")
    evaluate()
    organization_id = vendor.organization.pk
    is_over = threading.Event()

    def evaluator() -> None:
        try:
            while not is_over.is_set():
                evaluate_budgets(now=NOW)
        finally:
            connection.close()

    def work(number: int) -> int:
        ask = Ask(customer="acme", meter="turns", quantity=Decimal(2), reserve=True)
        verdict = check_entitlement(organization_id=organization_id, ask=ask, now=NOW)
        if verdict.reservation is None:
            return 0
        reservation = verdict.reservation.id
        if number % 5 == 0:
            release_reservation(organization_id=organization_id, reservation=reservation, now=NOW)
            return 0
        names = turns("acme", 2)
        events = names if number % 2 else ()
        commit_reservation(organization_id=organization_id, reservation=reservation, now=NOW, events=events)
        return 2

    counting = threading.Thread(target=evaluator)
    counting.start()
    try:
        used = sum(in_threads(AGENTS, work, at_once=8))
    finally:
        is_over.set()
        counting.join()
    evaluate()
    total = budget_total(one)
    assert (total.used, total.held) == (used, 0)
    assert used <= 60
    assert not Hold.objects.filter(is_settled=False).exists()
    assert set(Reservation.objects.values_list("state", flat=True)) <= {"settled", "released"}
    assert [percent for percent, _ in crossed(one)] == ["80", "100"]


def test_evaluations_at_once_tell_of_a_threshold_once(vendor: Api, budget: Make, turns: Make) -> None:
    one = budget(10)
    turns("acme", 9)
    in_threads(8, lambda _: evaluate_budgets(now=NOW), at_once=8)
    total = budget_total(one)
    in_threads(
        8,
        lambda _: evaluation.evaluate_totals(organization_id=vendor.organization.pk, ids=[total.pk], now=NOW),
        at_once=8,
    )
    evaluate()
    assert (crossed(one), Mail.objects.count()) == ([("80", "9")], 1)


class Killed(BaseException):
    """As good as a process that is gone: nothing after it is done."""


@pytest.mark.parametrize(
    "step", ["log_snapshot", "read_used", "_settle", "_update", "_end_reservations", "record_crossings", "_write"]
)
def test_an_evaluation_that_dies_anywhere_is_made_by_the_next(
    vendor: Api, budget: Make, turns: Make, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    one = budget(10)
    evaluate()
    ask = Ask(customer="acme", meter="turns", quantity=Decimal(8), reserve=True)
    held = check_entitlement(organization_id=vendor.organization.pk, ask=ask, now=NOW)
    turns("acme", 8)
    commit_reservation(organization_id=vendor.organization.pk, reservation=held.reservation.id, now=NOW)

    real = getattr(evaluation, step)

    def dies(*args: Any, **fields: Any) -> Any:
        real(*args, **fields)
        raise Killed

    with monkeypatch.context() as patched:
        patched.setattr(evaluation, step, dies)
        with pytest.raises(Killed):
            evaluate()
    assert budget_total(one).used + budget_total(one).held == 8
    evaluate()
    total = budget_total(one)
    assert (total.used, total.held, crossed(one)) == (8, 0, [("80", "8")])
    assert (Crossing.objects.count(), Mail.objects.count()) == (1, 1)


def test_an_agent_that_dies_with_a_reservation_holds_up_nobody_for_longer_than_it_lasts(
    vendor: Api, budget: Make
) -> None:
    budget(1)
    organization_id = vendor.organization.pk
    ask = Ask(customer="acme", meter="turns", reserve=True, lifetime=timedelta(minutes=1))
    assert check_entitlement(organization_id=organization_id, ask=ask, now=NOW).allowed
    assert not check_entitlement(organization_id=organization_id, ask=ask, now=NOW).allowed
    later = NOW + timedelta(minutes=1)
    assert check_entitlement(organization_id=organization_id, ask=ask, now=later).allowed
