"""When what is done about an open invoice: pure functions of its terms, how it stands, and the time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

CURRENT, RETRYING, OVERDUE, SUSPENDED, GIVEN_UP = "current", "retrying", "overdue", "suspended", "given_up"


#: Refusals after which the same card is not asked again. Source: https://docs.stripe.com/declines/codes ("next steps").
FINAL_REFUSALS = frozenset(
    [
        "authentication_required",
        "expired_card",
        "fraudulent",
        "incorrect_number",
        "invalid_account",
        "lost_card",
        "merchant_blacklist",
        "pickup_card",
        "restricted_card",
        "revocation_of_all_authorizations",
        "revocation_of_authorization",
        "stolen_card",
        "stop_payment_order",
        "transaction_not_allowed",
    ]
)


@dataclass(frozen=True, slots=True)
class Terms:
    """An organization's policy: days from the due date, and from each failed charge to the next."""

    reminder_days: tuple[int, ...] = ()
    retry_days: tuple[int, ...] = ()
    suspend_after_days: int | None = None
    give_up_after_days: int | None = None


@dataclass(frozen=True, slots=True)
class Standing:
    """How an open invoice stands. `next_charge_at` is when it is charged by itself, if it will be."""

    due_at: datetime
    failed_charges: int = 0
    next_charge_at: datetime | None = None
    reminded_day: int | None = None
    overdue_at: datetime | None = None
    suspended_at: datetime | None = None
    reinstated_at: datetime | None = None
    given_up_at: datetime | None = None


class StepKind(StrEnum):
    REMIND = "remind"
    CHARGE = "charge"
    NOTE_OVERDUE = "note_overdue"
    SUSPEND = "suspend"
    GIVE_UP = "give_up"


@dataclass(frozen=True, slots=True)
class Step:
    """Something to do at an instant; `day` is that of a reminder."""

    at: datetime
    kind: StepKind
    day: int | None = None


def steps_ahead(standing: Standing, terms: Terms) -> list[Step]:
    """All that is still to be done, in order of time, if nothing happens meanwhile."""
    return sorted(_steps(standing, terms), key=lambda step: (step.at, list(StepKind).index(step.kind)))


def steps_due(standing: Standing, terms: Terms, now: datetime) -> list[Step]:
    """What is to be done by `now`. Of reminders that were missed only the last one is left."""
    due = [step for step in steps_ahead(standing, terms) if step.at <= now]
    last = max((step.day for step in due if step.day is not None), default=None)
    return [step for step in due if step.day is None or step.day == last]


def next_step_at(standing: Standing, terms: Terms) -> datetime | None:
    return next((step.at for step in steps_ahead(standing, terms)), None)


def state_of(standing: Standing, now: datetime) -> str:
    """The dunning state: the worst that holds."""
    if standing.given_up_at:
        return GIVEN_UP
    if standing.suspended_at and not standing.reinstated_at:
        return SUSPENDED
    if standing.failed_charges and standing.next_charge_at:
        return RETRYING
    return OVERDUE if standing.due_at <= now else CURRENT


def next_retry_at(failed_charges: int, failed_at: datetime, code: str, terms: Terms) -> datetime | None:
    """When it is charged again after the `failed_charges`th failure, at `failed_at` with `code`; None: by nobody."""
    if code in FINAL_REFUSALS or not 1 <= failed_charges <= len(terms.retry_days):
        return None
    return failed_at + timedelta(days=terms.retry_days[failed_charges - 1])


def _steps(standing: Standing, terms: Terms) -> Iterator[Step]:
    if standing.given_up_at:
        return
    if standing.next_charge_at:
        yield Step(standing.next_charge_at, StepKind.CHARGE)
    else:
        # Who is charged by himself needs no reminder; a failed charge has a mail of its own.
        for day in sorted(terms.reminder_days):
            if standing.reminded_day is None or day > standing.reminded_day:
                yield Step(standing.due_at + timedelta(days=day), StepKind.REMIND, day)
    if not standing.overdue_at:
        yield Step(standing.due_at, StepKind.NOTE_OVERDUE)
    if terms.suspend_after_days is not None and not standing.suspended_at:
        yield Step(standing.due_at + timedelta(days=terms.suspend_after_days), StepKind.SUSPEND)
    if terms.give_up_after_days is not None:
        yield Step(standing.due_at + timedelta(days=terms.give_up_after_days), StepKind.GIVE_UP)
