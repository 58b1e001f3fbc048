"""When what is done about an open invoice, what Stripe's numbers mean, what a transfer is for, what a page says."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collection.domain.comparing import Fact, differences
from collection.domain.dunning import Standing, StepKind, Terms, next_retry_at, state_of, steps_ahead, steps_due
from collection.domain.minor_units import AmountNotChargeable, from_minor_units, to_minor_units
from collection.domain.page_lines import PageLine, page_lines
from collection.domain.remittance import numbers_in

DUE = datetime(2026, 12, 1, 12, tzinfo=UTC)
TERMS = Terms(reminder_days=(-3, 1, 7), retry_days=(1, 3), suspend_after_days=14, give_up_after_days=30)
DAY = timedelta(days=1)


def test_an_invoice_that_nobody_pays_goes_through_its_steps() -> None:
    steps = [(step.kind, (step.at - DUE).days, step.day) for step in steps_ahead(Standing(due_at=DUE), TERMS)]
    assert steps == [
        (StepKind.REMIND, -3, -3),
        (StepKind.NOTE_OVERDUE, 0, None),
        (StepKind.REMIND, 1, 1),
        (StepKind.REMIND, 7, 7),
        (StepKind.SUSPEND, 14, None),
        (StepKind.GIVE_UP, 30, None),
    ]


def test_of_reminders_that_were_missed_one_is_sent() -> None:
    due = steps_due(Standing(due_at=DUE), TERMS, DUE + 8 * DAY)
    assert [(step.kind, step.day) for step in due] == [(StepKind.NOTE_OVERDUE, None), (StepKind.REMIND, 7)]


def test_who_is_charged_by_itself_is_not_reminded() -> None:
    standing = Standing(due_at=DUE, next_charge_at=DUE + 2 * DAY)
    assert StepKind.REMIND not in {step.kind for step in steps_ahead(standing, TERMS)}


@pytest.mark.parametrize(
    ("standing", "state"),
    [
        (Standing(due_at=DUE + DAY), "current"),
        (Standing(due_at=DUE - DAY), "overdue"),
        (Standing(due_at=DUE - DAY, failed_charges=1, next_charge_at=DUE + DAY), "retrying"),
        (Standing(due_at=DUE - DAY, failed_charges=3), "overdue"),
        (Standing(due_at=DUE - DAY, suspended_at=DUE), "suspended"),
        (Standing(due_at=DUE - DAY, suspended_at=DUE, reinstated_at=DUE), "overdue"),
        (Standing(due_at=DUE - DAY, suspended_at=DUE, given_up_at=DUE), "given_up"),
    ],
)
def test_the_state_is_the_worst_that_holds(standing: Standing, state: str) -> None:
    assert state_of(standing, DUE) == state


def test_after_the_last_retry_and_a_final_refusal_there_is_no_other() -> None:
    assert next_retry_at(1, DUE, "insufficient_funds", TERMS) == DUE + DAY
    assert next_retry_at(2, DUE, "insufficient_funds", TERMS) == DUE + 3 * DAY
    assert next_retry_at(3, DUE, "insufficient_funds", TERMS) is None
    assert next_retry_at(1, DUE, "stolen_card", TERMS) is None


@pytest.mark.parametrize(
    ("amount", "currency", "units"),
    [("12.34", "USD", 1234), ("500", "JPY", 500), ("1.230", "KWD", 1230), ("7", "ISK", 700), ("1000", "UGX", 100000)],
)
def test_amounts_go_to_stripe_and_back(amount: str, currency: str, units: int) -> None:
    assert to_minor_units(Decimal(amount), currency) == units
    assert from_minor_units(units, currency) == Decimal(amount)


@pytest.mark.parametrize(("amount", "currency"), [("0.001", "USD"), ("1.5", "JPY"), ("1.234", "KWD"), ("7.50", "ISK")])
def test_what_stripe_cannot_move_exactly_is_refused(amount: str, currency: str) -> None:
    with pytest.raises(AmountNotChargeable):
        to_minor_units(Decimal(amount), currency)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("INV-000042", ["INV-000042"]),
        ("Rechnung inv 000042 danke", ["INV-000042"]),
        ("inv000042", ["INV-000042"]),
        ("INV-0000421", []),
        ("XINV-000042", []),
        ("INV-000042 and INV-000043", ["INV-000042", "INV-000043"]),
        ("", []),
    ],
)
def test_invoice_numbers_are_read_out_of_transfers(text: str, found: list[str]) -> None:
    assert numbers_in(text, ["INV-000042", "INV-000043"]) == found


def test_a_page_has_the_lines_and_the_tax_of_an_invoice() -> None:
    lines = [PageLine("Seats", 5000), PageLine("Nothing", 0), PageLine("x" * 300, 50)]
    shown = page_lines(number="INV-1", lines=lines, tax=950, due=6000)
    assert [(one.name[:5], len(one.name), one.units) for one in shown] == [
        ("Seats", 5, 5000),
        ("xxxxx", 250, 50),
        ("Tax", 3, 950),
    ]


@given(st.lists(st.integers(-1000, 1000), max_size=120), st.integers(0, 1000), st.integers(1, 100000))
def test_a_page_always_comes_to_what_is_due(units: list[int], tax: int, due: int) -> None:
    lines = [PageLine(str(n), one) for n, one in enumerate(units)]
    for asked in (due, sum(units) + tax):
        if asked > 0:
            shown = page_lines(number="INV-1", lines=lines, tax=tax, due=asked)
            assert sum(one.units for one in shown) == asked
            assert all(one.units > 0 for one in shown)
            assert len(shown) <= 100


def test_two_sides_are_compared_by_what_they_say() -> None:
    here = {"a": Fact("1 USD", DUE), "b": Fact("2 USD", DUE, "inv_b"), "c": Fact("3 USD", DUE)}
    there = {"a": Fact("1 USD", DUE + DAY), "b": Fact("5 USD", DUE - DAY), "d": Fact("4 USD", DUE)}
    found = [(one.kind, one.subject, one.here, one.there) for one in differences("payment", here, there)]
    assert found == [
        ("payment_differs", "b", "2 USD", "5 USD"),
        ("payment_missing_there", "c", "3 USD", ""),
        ("payment_missing_here", "d", "", "4 USD"),
    ]
    assert differences("payment", here, here) == []
