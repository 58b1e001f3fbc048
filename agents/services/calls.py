"""The part of the projection that is about calls of models: by task, and summed over them by hour and by day."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import fields, replace
from datetime import UTC, datetime
from uuid import UUID

from agents.domain.summaries import CallTotals, Change, HourTotals, call_group, fold_call, hour_of
from agents.models import CallDay, CallHour, CallUsage

_CALLS = [field.name for field in fields(CallTotals)]
_CALL_UPDATES = sorted(set(_CALLS) - {"group_key", "hour"})
_SUMS = [field.name for field in fields(HourTotals) if field.name != "hour"]
_SUM_UPDATES = sorted(set(_SUMS) - {"kind_key"})

Groups = dict[UUID, dict[datetime, CallTotals]]
Hours = dict[tuple[UUID, datetime], HourTotals]


def take_in_calls(organization_id: int, changes: Iterable[Change]) -> None:
    """Add calls that came to all tables, and take off those that were taken back. Within the step's transaction."""
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
    _take_in_sums(CallHour, "hour", organization_id, news)
    _take_in_sums(CallDay, "day", organization_id, news)


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


def _take_in_sums(
    table: type[CallHour | CallDay], at: str, organization_id: int, news: Iterable[tuple[HourTotals, Change | int]]
) -> None:
    """Each of `news` is a call that came or was taken back, or a task that is counted in that hour or no longer.

    `at` is the table's name for when a sum begins.
    """
    found = [(empty.kind_key, _begin(empty.hour, at), empty, change) for empty, change in news]
    stored = table.objects.filter(
        organization_id=organization_id,
        kind_key__in={key for key, _, _, _ in found},
        **{f"{at}__in": {begin for _, begin, _, _ in found}},
    )
    sums: Hours = {
        (row.kind_key, getattr(row, at)): HourTotals(
            hour=getattr(row, at), **{name: getattr(row, name) for name in _SUMS}
        )
        for row in stored
    }
    for key, begin, empty, change in found:
        if (key, begin) not in sums:
            sums[key, begin] = replace(empty, hour=begin)
        totals = sums[key, begin]
        if isinstance(change, int):
            totals.tasks += change
        else:
            fold_call(totals, change)
    table.objects.bulk_create(
        [
            table(organization_id=organization_id, **{at: one.hour}, **{name: getattr(one, name) for name in _SUMS})
            for one in sums.values()
        ],
        update_conflicts=True,
        unique_fields=["organization", at, "kind_key"],
        update_fields=_SUM_UPDATES,
        batch_size=1_000,
    )


def _begin(hour: datetime, at: str) -> datetime:
    return hour.astimezone(UTC).replace(hour=0) if at == "day" else hour
