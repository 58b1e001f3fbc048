"""The part of the projection that is about calls of models: by task, and summed over them by hour, day and month."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from agents.domain.summaries import CallSums, CallTotals, Change, call_group, fold_call, sums_of
from agents.models import CallDay, CallHour, CallMonth, CallUsage

_CALLS = [field.name for field in fields(CallTotals)]
_CALL_UPDATES = sorted(set(_CALLS) - {"group_key", "hour"})
_SUMS = [field.name for field in fields(CallSums) if field.name not in {"kind_key", "begin", "names"}]

#: A group whose call came or was taken back, or whose task is counted in its hour from now on (1) or no longer (-1).
News = tuple[CallTotals, Change | int]
Groups = dict[UUID, dict[datetime, CallTotals]]


@dataclass(frozen=True, slots=True)
class _Table:
    """Sums of stretches of time that begin `at`, of kinds that are told apart by `names`."""

    model: type[CallHour | CallDay | CallMonth]
    at: str
    names: tuple[str, ...]

    def begin(self, hour: datetime) -> datetime:
        hour = hour.astimezone(UTC)
        return {"hour": hour, "day": hour.replace(hour=0), "month": hour.replace(day=1, hour=0)}[self.at]


_PRICED = ("provider", "model", "hardware", "region", "cost_currency")
_TABLES = (
    _Table(CallHour, "hour", ("agent", *_PRICED)),
    _Table(CallDay, "day", ("agent", *_PRICED)),
    _Table(CallMonth, "month", ("customer", *_PRICED)),
)


def take_in_calls(organization_id: int, changes: Iterable[Change]) -> None:
    """Add calls that came to all tables, and take off those that were taken back. Within the step's transaction."""
    seen = [(call_group(change.reading), change) for change in changes]
    groups = _stored_groups(organization_id, {group.group_key for group, _ in seen if group.group_key})
    before = {key: _first(hours) for key, hours in groups.items()}
    touched: dict[tuple[UUID, datetime], CallTotals] = {}
    news: list[News] = []
    for group, change in seen:
        assert group.group_key is not None
        totals = groups.setdefault(group.group_key, {}).setdefault(group.hour, group)
        fold_call(totals, change)
        touched[group.group_key, group.hour] = totals
        news.append((group, change))
    for key, hours in groups.items():
        for totals, step in _moved(hours, before.get(key)):
            touched[key, totals.hour] = totals
            news.append((totals, step))
    _write_groups(organization_id, touched.values())
    for table in _TABLES:
        _take_in_sums(table, organization_id, news)


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


def _take_in_sums(table: _Table, organization_id: int, news: Iterable[News]) -> None:
    found = [(sums_of(group, table.names, table.begin(group.hour)), change) for group, change in news]
    stored = table.model.objects.filter(
        organization_id=organization_id,
        kind_key__in={empty.kind_key for empty, _ in found},
        **{f"{table.at}__in": {empty.begin for empty, _ in found}},
    )
    sums: dict[Any, Any] = {(one.kind_key, one.begin): one for one in (_sums(row, table) for row in stored)}
    for empty, change in found:
        totals = sums.setdefault((empty.kind_key, empty.begin), empty)
        if isinstance(change, int):
            totals.tasks += change
        else:
            fold_call(totals, change)
    rows: list[Any] = [_row(one, table, organization_id) for one in sums.values()]
    table.model.objects.bulk_create(
        rows,
        update_conflicts=True,
        unique_fields=["organization", table.at, "kind_key"],
        update_fields=_SUMS,
        batch_size=1_000,
    )


def _sums(row: CallHour | CallDay | CallMonth, table: _Table) -> CallSums:
    names = {name: getattr(row, name) for name in table.names}
    return CallSums(row.kind_key, getattr(row, table.at), names, **{name: getattr(row, name) for name in _SUMS})


def _row(sums: CallSums, table: _Table, organization_id: int) -> CallHour | CallDay | CallMonth:
    counted = {name: getattr(sums, name) for name in _SUMS}
    began = {table.at: sums.begin}
    return table.model(organization_id=organization_id, kind_key=sums.kind_key, **began, **sums.names, **counted)
