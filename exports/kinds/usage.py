"""What every meter counted, by day of UTC, customer and dimensions."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from exports.columns import Row, Rows, columns
from exports.tables import Kind, Selection, Table, batches
from kernel.period import Month, Period
from metering.facade import MeterVersion, UsageQuestion, current_versions, definition_of, usage_of_version

_COLUMNS = columns(
    "meter", "unit", "aggregation", "day:day", "customer", "dimensions:json", "quantity:number", "events:count"
)


def days_of(month: Month) -> Iterator[Period]:
    """The month's days in UTC."""
    span, day = month.period(ZoneInfo("UTC")), timedelta(days=1)
    start: datetime = span.start
    while start < span.end:
        yield Period(start, start + day)
        start += day


def _rows(selection: Selection) -> Iterator[Rows]:
    return batches(_each(selection))


def _each(selection: Selection) -> Iterator[Row]:
    """Row by row; a day of a meter is asked for at a time, so that no month has to fit into memory."""
    versions = current_versions().filter(meter__organization_id=selection.organization.pk)
    for version in versions.order_by("meter__key"):
        for day in days_of(selection.month):
            yield from _day(version, day, selection)


def _day(version: MeterVersion, day: Period, selection: Selection) -> Iterator[Row]:
    definition = definition_of(version)
    question = UsageQuestion(
        organization_id=selection.organization.pk,
        meter=version.meter.key,
        period=day,
        by_customer=True,
        customers=(selection.customer,) if selection.customer else None,
        group_by=definition.dimension_names,
    )
    for row in usage_of_version(version, question):
        yield (
            version.meter.key,
            version.meter.unit,
            definition.aggregation,
            day.start.astimezone(UTC).date(),
            row.customer,
            json.dumps(row.group, ensure_ascii=False, sort_keys=True),
            row.quantity,
            row.events,
        )


USAGE = Kind(name="usage", tables=(Table(name="usage", title="Usage", columns=_COLUMNS, rows=_rows),))
