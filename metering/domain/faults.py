"""Events that are well formed and cannot be right: a time, a customer or an outcome that cannot be."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any

from kernel.keys import customer_key_refusal

#: How a task ends.
OUTCOMES = ("succeeded", "failed", "escalated", "cancelled", "timed_out", "blocked")

#: Faults of a time.
TIME_TOO_OLD, TIME_IN_FUTURE = "time_too_old", "time_in_future"
#: Faults of a subject and an outcome.
SUBJECT_INVALID, OUTCOME_INVALID = "subject_invalid", "outcome_invalid"
#: What is kept in quarantine from senders that send each event once and read no answers. Others are told. An event
#: with an outcome that nobody knows could never be released.
KEPT_FROM_SENT_ONCE = frozenset({SUBJECT_INVALID})

_TASK = "agent.task"
_SHOWN = 80


@dataclass(frozen=True, slots=True)
class Fault:
    """Why an event is not counted. A sender is told `code` and `detail`."""

    code: str
    detail: str


@lru_cache(maxsize=8_192)
def subject_fault(subject: str | None) -> Fault | None:
    """The fault of a subject that can never be a customer's key; an event may have no subject."""
    if subject is None or (refusal := customer_key_refusal(subject)) is None:
        return None
    return Fault(SUBJECT_INVALID, f"The subject {_shown(subject)} can never be a customer's key: {refusal}.")


def outcome_fault(event_type: str, data: Mapping[str, Any]) -> Fault | None:
    """The fault of a task's end whose outcome is none of `OUTCOMES`; one without an outcome has none."""
    if event_type != _TASK or (outcome := data.get("outcome")) is None or outcome in OUTCOMES:
        return None
    return Fault(
        OUTCOME_INVALID, f"data.outcome {_shown(outcome)} is not an outcome. Use one of {', '.join(OUTCOMES)}."
    )


@dataclass(frozen=True, slots=True)
class TimeWindow:
    """The times that events may have: from `look_back` before `first` to `look_ahead` after `last`.

    `first` and `last` are the server's clock, and where the customer lives by a test clock, the earlier and the later
    of the two: usage of a test is sent before its clock is advanced. Without `look_back` any history is taken.
    """

    first: datetime
    last: datetime
    look_back: timedelta | None
    look_ahead: timedelta

    def with_clock(self, now: datetime) -> TimeWindow:
        """The window of a customer whose test clock shows `now`."""
        return replace(self, first=min(self.first, now), last=max(self.last, now))

    def fault_of(self, time: datetime) -> Fault | None:
        """The fault of an event at `time`; None within the window."""
        if time - self.last > self.look_ahead:
            return Fault(TIME_IN_FUTURE, f"The time {_at(time)} lies more than {_span(self.look_ahead)} ahead.")
        if self.look_back is not None and self.first - time > self.look_back:
            return Fault(
                TIME_TOO_OLD,
                f"The time {_at(time)} lies more than {_span(self.look_back)} back. Send older history as a backfill.",
            )
        return None


def _at(time: datetime) -> str:
    return time.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def _span(span: timedelta) -> str:
    days, seconds = span.days, span.seconds
    if days and not seconds:
        return "one year" if days == 365 else f"{days} days"
    return "one hour" if (days, seconds) == (0, 3600) else f"{span.total_seconds():.0f} seconds"


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"
