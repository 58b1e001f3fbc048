"""Looking for events by what no index knows: an agent, a type. Bounded in time, however rare they are."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from agents.facade import task_summary
from metering.facade import EventQuestion, EventView, first_event_time, list_events
from rest.pagination import decode_cursor, encode_cursor

#: How long one page may look, and how long one look should take.
SECONDS, LOOK = 0.12, 0.03

_FIRST_LOOK = timedelta(hours=6)
_NOWHERE = "00000000-0000-0000-0000-000000000000"
#: Until a task has been quiet for so long, its newest events may not be summed up yet.
_QUIET = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class FoundEvents:
    """`looked_back_to` is set where nothing earlier was looked at yet; `next_cursor` goes on from there."""

    events: list[EventView]
    next_cursor: str | None
    looked_back_to: datetime | None = None


def search_events(
    question: EventQuestion,
    *,
    limit: int,
    cursor: str | None,
    now: datetime,
    clock: Callable[[], float] = time.perf_counter,
) -> FoundEvents:
    """Events, newest first. Where an index knows what is asked for, as `list_events`; else the log is looked through
    piece by piece, back in time, for `SECONDS` at most."""
    question = _within_task(question, now)
    if question.customer is not None or not (question.type or question.data or question.sent_by):
        return FoundEvents(*list_events(question, limit=limit, cursor=cursor))
    return _look_back(question, limit=limit, cursor=cursor, now=now, clock=clock)


def _within_task(question: EventQuestion, now: datetime) -> EventQuestion:
    """The same question, told when the task that it names was at work."""
    task_id = question.data.get("task_id")
    known = task_summary(organization_id=question.organization_id, task_id=task_id) if task_id else None
    if known is None:
        return question
    start = known.started_at if question.start is None else max(question.start, known.started_at)
    if now - known.latest_at < _QUIET:
        return replace(question, start=start)
    after = known.latest_at + timedelta(microseconds=1)
    return replace(question, start=start, end=after if question.end is None else min(question.end, after))


def _look_back(
    question: EventQuestion, *, limit: int, cursor: str | None, now: datetime, clock: Callable[[], float]
) -> FoundEvents:
    began, step, found = clock(), _FIRST_LOOK, list[EventView]()
    first = first_event_time(question.organization_id)
    if first is None:
        return FoundEvents([], None)
    first = first if question.start is None else max(first, question.start)
    # Times may lie ahead, where a clock is wrong: the first look has no end but the question's.
    end, edge = question.end, min(question.end or now, _time_of(cursor) or now)
    while True:
        start = max(first, edge - step)
        looked = clock()
        some, following = list_events(replace(question, start=start, end=end), limit=limit - len(found), cursor=cursor)
        found += some
        if following:
            return FoundEvents(found, following)
        if start <= first:
            return FoundEvents(found, None)
        if len(found) == limit or clock() - began > SECONDS:
            return FoundEvents(found, encode_cursor([start.isoformat(), _NOWHERE]), start)
        if clock() - looked < LOOK:
            step *= 2
        end = edge = start
        cursor = None


def _time_of(cursor: str | None) -> datetime | None:
    """Where a page goes on from; what is no cursor is told by `list_events`."""
    try:
        found = datetime.fromisoformat(decode_cursor(cursor)[0]) if cursor else None
    except (ValueError, TypeError, IndexError):
        return None
    return found if found is None or found.tzinfo else found.replace(tzinfo=UTC)
