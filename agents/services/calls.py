"""The part of the projection that is about calls of models: by task, and summed over tasks and customers by hour."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import fields
from datetime import datetime
from uuid import UUID

from agents.domain.summaries import CallTotals, Change, HourTotals, call_group, fold_call, hour_of
from agents.models import CallHour, CallUsage

_CALLS = [field.name for field in fields(CallTotals)]
_CALL_UPDATES = sorted(set(_CALLS) - {"group_key", "hour"})
_HOURS = [field.name for field in fields(HourTotals)]
_HOUR_UPDATES = sorted(set(_HOURS) - {"kind_key", "hour"})

Groups = dict[UUID, dict[datetime, CallTotals]]
Hours = dict[tuple[UUID, datetime], HourTotals]


def take_in_calls(organization_id: int, changes: Iterable[Change]) -> None:
    """Add calls that came to both tables, and take off those that were taken back. Within the step's transaction."""
    seen = [(call_group(change.reading), change) for change in changes]
    groups = _stored_groups(organization_id, {group.group_key for group, _ in seen if group.group_key})
    before = {key: _first(hours) for key, hours in groups.items()}
    touched: dict[tuple[UUID, datetime], CallTotals] = {}
    news: list[tuple[HourTotals, Change | int]] = []
    for group, change in seen:
        assert group.group_key is not None
        totals = groups.setdefault(group.group_key, {}).setdefault(group.hour, group)
        fold_call(totals, change)
        touched[group.group_key, group.hour] = totals
        news.append((hour_of(group, group.hour), change))
    for key, hours in groups.items():
        for totals, step in _moved(hours, before.get(key)):
            touched[key, totals.hour] = totals
            news.append((hour_of(totals, totals.hour), step))
    _write_groups(organization_id, touched.values())
    _take_in_hours(organization_id, news)


def _moved(hours: dict[datetime, CallTotals], before: datetime | None) -> list[tuple[CallTotals, int]]:
    """Where the task of a group is counted from now on (1), and where no longer (-1)."""
    after = _first(hours)
    if after == before:
        return []
    found = []
    for hour, step in ((before, -1), (after, 1)):
        if hour is not None and hours[hour].task_key is not None:
            hours[hour].is_first = step > 0
            found.append((hours[hour], step))
    return found


def _first(hours: dict[datetime, CallTotals]) -> datetime | None:
    """The first hour in which there were calls."""
    return min((hour for hour, totals in hours.items() if totals.calls > 0), default=None)


def _stored_groups(organization_id: int, keys: set[UUID]) -> Groups:
    groups: Groups = defaultdict(dict)
    for row in CallUsage.objects.filter(organization_id=organization_id, group_key__in=keys):
        groups[row.group_key][row.hour] = CallTotals(**{name: getattr(row, name) for name in _CALLS})
    return groups


def _write_groups(organization_id: int, totals: Iterable[CallTotals]) -> None:
    CallUsage.objects.bulk_create(
        [CallUsage(organization_id=organization_id, **{name: getattr(one, name) for name in _CALLS}) for one in totals],
        update_conflicts=True,
        unique_fields=["organization", "group_key", "hour"],
        update_fields=_CALL_UPDATES,
        batch_size=1_000,
    )


def _take_in_hours(organization_id: int, news: Iterable[tuple[HourTotals, Change | int]]) -> None:
    """Each of `news` is a call that came or was taken back, or a task that is counted in that hour or no longer."""
    found = [(empty.kind_key, empty.hour, empty, change) for empty, change in news]
    stored = CallHour.objects.filter(
        organization_id=organization_id,
        hour__in={hour for _, hour, _, _ in found},
        kind_key__in={key for key, _, _, _ in found},
    )
    hours: Hours = {
        (row.kind_key, row.hour): HourTotals(**{name: getattr(row, name) for name in _HOURS}) for row in stored
    }
    for key, hour, empty, change in found:
        totals = hours.setdefault((key, hour), empty)
        if isinstance(change, int):
            totals.tasks += change
        else:
            fold_call(totals, change)
    CallHour.objects.bulk_create(
        [
            CallHour(organization_id=organization_id, **{name: getattr(one, name) for name in _HOURS})
            for one in hours.values()
        ],
        update_conflicts=True,
        unique_fields=["organization", "hour", "kind_key"],
        update_fields=_HOUR_UPDATES,
        batch_size=1_000,
    )
