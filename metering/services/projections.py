"""Carrying the log forward into buckets. Safe to run anywhere, at once and to kill."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.db import connection, transaction
from psycopg import sql

from metering.archive.recall import LOG, RECALLED, archived_events, recalled_events
from metering.archive.selection import Selection
from metering.compiler import Fragment, compile_meter
from metering.domain.meters import PROJECTED
from metering.models import LogArchive, MeterVersion, Scope
from metering.queries.meters import definition_of
from metering.queries.usage import event_rows, signed_rows
from metering.services.locks import lock_log_shared

#: About how many events one transaction takes in; a whole transaction's events always go together.
STEP = 100_000

#: From this many groups (dimensions and value) a day in one organization, with fewer than `FEWEST_EVENTS` events
#: each, buckets are hardly smaller than the log.
MANY_GROUPS, FEWEST_EVENTS = 10_000, 4

# Below this, every transaction has ended: nothing can appear there any more.
_WATERMARK = "SELECT pg_snapshot_xmin(pg_current_snapshot())::text"

# Only the newest version of a meter: an older one answers from the buckets it has and the log.
_BEHIND = """
SELECT v.id FROM metering_meterversion v JOIN metering_meter m ON m.id = v.meter_id
WHERE v.definition ->> 'aggregation' = ANY(%(aggregations)s) AND NOT v.unbounded
  AND NOT EXISTS (SELECT FROM metering_meterversion newer WHERE newer.meter_id = m.id AND newer.number > v.number)
  AND (EXISTS (SELECT FROM metering_usageevent e WHERE e.organization_id = m.organization_id
               AND e.xid >= v.projected_to AND e.xid < %(watermark)s::xid8)
    OR EXISTS (SELECT FROM metering_eventcorrection c WHERE c.organization_id = m.organization_id
               AND c.xid >= v.projected_to AND c.xid < %(watermark)s::xid8)
    OR EXISTS (SELECT FROM metering_archivedorganization a JOIN metering_logarchive l ON l.id = a.archive_id
               WHERE a.organization_id = m.organization_id AND a.last_xid >= v.projected_to
               AND COALESCE((v.archived ->> a.archive_id::text)::int, 0) < l.row_groups))
ORDER BY v.id
"""

# Both scopes in one reading of the events. GROUPING says which of its arguments a row is not grouped by.
_APPLY = """
WITH parts AS (
    SELECT CASE GROUPING(hour, quarter) WHEN 1 THEN {customer} ELSE {organization} END AS scope,
           subject, day, dimensions, value, COALESCE(hour, quarter) AS start,
           SUM(events)::bigint AS events, SUM(quantity) AS quantity
    FROM (SELECT subject, dimensions, value, events, quantity, date_bin('1 hour', at, {epoch}) AS hour,
                 date_bin('15 minutes', at, {epoch}) AS quarter, date_bin('1 day', at, {epoch}) AS day
          FROM ({rows}) signed_rows) signed_rows
    GROUP BY day, dimensions, value, GROUPING SETS ((subject, hour), (quarter))
), days AS (
    SELECT scope, subject, day, dimensions, value, SUM(events) AS events, SUM(quantity) AS quantity,
           ARRAY_AGG(start) AS part_starts, ARRAY_AGG(events) AS part_events, ARRAY_AGG(quantity) AS part_quantities
    FROM parts GROUP BY scope, subject, day, dimensions, value
), written AS (
    INSERT INTO metering_usagebucket AS bucket
        (meter_version_id, scope, subject, day, group_hash, dimensions, value, events, quantity,
         part_starts, part_events, part_quantities)
    SELECT {version}, scope, subject, day,
           substring(sha256(convert_to(dimensions::text || COALESCE(':' || value, ''), 'UTF8')) FOR 16) AS group_hash,
           dimensions, value, events, quantity, part_starts, part_events, part_quantities
    FROM days
    ORDER BY scope, subject, day, group_hash
    ON CONFLICT (meter_version_id, scope, subject, day, group_hash) DO UPDATE
    SET events = bucket.events + EXCLUDED.events,
        quantity = bucket.quantity + EXCLUDED.quantity,
        (part_starts, part_events, part_quantities) = (
            SELECT ARRAY_AGG(start), ARRAY_AGG(events), ARRAY_AGG(quantity)
            FROM (SELECT start, SUM(events)::bigint AS events, SUM(quantity) AS quantity
                  FROM unnest(bucket.part_starts || EXCLUDED.part_starts, bucket.part_events || EXCLUDED.part_events,
                              bucket.part_quantities || EXCLUDED.part_quantities) AS part (start, events, quantity)
                  GROUP BY start) merged)
)
SELECT day FROM days WHERE scope = {organization} GROUP BY day ORDER BY COUNT(*) DESC LIMIT 1
"""

_GROUPS = """
SELECT COUNT(*), SUM(events) FROM (
    SELECT events FROM metering_usagebucket
    WHERE meter_version_id = %s AND scope = %s AND subject IS NULL AND day = %s LIMIT %s
) groups
"""

# The transaction of the event (or correction) with which a step is full, and whether there is one at all.
_NEXT = """
SELECT LEAST(
    (SELECT xid FROM metering_usageevent WHERE organization_id = %(organization)s AND xid >= %(low)s::xid8
     AND xid < %(watermark)s::xid8 ORDER BY xid OFFSET %(step)s LIMIT 1),
    (SELECT xid FROM metering_eventcorrection WHERE organization_id = %(organization)s AND xid >= %(low)s::xid8
     AND xid < %(watermark)s::xid8 ORDER BY xid OFFSET %(step)s LIMIT 1)
)::text,
EXISTS (SELECT FROM metering_usageevent WHERE organization_id = %(organization)s AND xid >= %(low)s::xid8
        AND xid < %(watermark)s::xid8)
OR EXISTS (SELECT FROM metering_eventcorrection WHERE organization_id = %(organization)s AND xid >= %(low)s::xid8
           AND xid < %(watermark)s::xid8)
"""


def advance_projections() -> int:
    """Bring every meter's projection up to the present watermark; returns how many steps were made.

    One step of each in turn, so that a meter with all of history to count does not hold up the others; and no
    further than the watermark was at first, so that this ends while events keep coming.
    """
    watermark = current_watermark()
    with connection.cursor() as cursor:
        cursor.execute(_BEHIND, {"watermark": str(watermark), "aggregations": sorted(PROJECTED)})
        behind = [version for (version,) in cursor.fetchall()]
    steps = 0
    while behind:
        behind = [version for version in behind if advance_projection(meter_version_id=version, watermark=watermark)]
        steps += len(behind)
    return steps


def current_watermark() -> int:
    """The transaction below which all have ended."""
    with connection.cursor() as cursor:
        cursor.execute(_WATERMARK)
        return int(cursor.fetchone()[0])


def advance_projection(*, meter_version_id: int, watermark: int) -> bool:
    """One step towards `watermark` of one meter version, in one transaction: buckets and cursor move together.

    Returns whether anything was done. A version that another worker holds is left to it.
    """
    with transaction.atomic():
        lock_log_shared()
        version = (
            MeterVersion.objects.select_for_update(skip_locked=True, of=("self",))
            .select_related("meter")
            .filter(pk=meter_version_id, unbounded=False)
            .first()
        )
        if version is None:
            return False
        archive = _archive_ahead(version)
        if archive is not None:
            changes, rows = _take_in_archive(version, archive)
        else:
            upper = _upper(version, watermark)
            if upper is None:
                return False
            changes, rows = {"projected_to": upper}, _rows_up_to(version, upper)
        fullest = _apply(version, rows)
        unbounded = fullest is not None and _is_unbounded(version, fullest)
        MeterVersion.objects.filter(pk=version.pk).update(unbounded=unbounded, **changes)
    return True


def _archive_ahead(version: MeterVersion) -> LogArchive | None:
    """An archive with events that the buckets do not have, though the log may go on past their transactions."""
    taken = {int(archive): groups for archive, groups in version.archived.items()}
    ahead = LogArchive.objects.filter(
        organizations__organization_id=version.meter.organization_id,
        organizations__last_xid__gte=version.projected_to,
    ).order_by("id")
    return next((one for one in ahead if taken.get(one.pk, 0) < one.row_groups), None)


def _take_in_archive(version: MeterVersion, archive: LogArchive) -> tuple[dict[str, Any], list[Fragment]]:
    """The next row groups of an archive with about a step's events: how far it is taken in then, and its events."""
    definition = definition_of(version)
    selection = Selection(version.meter.organization_id, types=(definition.event_type,), first_xid=version.projected_to)
    found, taken = 0, archive.row_groups
    first = version.archived.get(str(archive.pk), 0)
    with recalled_events() as write:
        for number, table in archived_events(archive, selection, first_group=first):
            write(table)
            found += len(table)
            if found >= STEP:
                taken = number + 1
                break
    changes = {"archived": version.archived | {str(archive.pk): taken}}
    return changes, [event_rows(compile_meter(definition), RECALLED, sql.SQL("TRUE"))]


def _rows_up_to(version: MeterVersion, upper: int) -> list[Fragment]:
    return signed_rows(
        compile_meter(definition_of(version)),
        LOG,
        sql.Literal(version.meter.organization_id),
        sql.SQL("e.xid >= {}::xid8 AND e.xid < {}::xid8").format(
            sql.Literal(str(version.projected_to)), sql.Literal(str(upper))
        ),
    )


def _apply(version: MeterVersion, rows: list[Fragment]) -> datetime | None:
    """Add signed rows to the buckets; the day that has most groups."""
    statement = sql.SQL(_APPLY).format(
        version=version.pk,
        rows=sql.SQL(" UNION ALL ").join(rows),
        epoch=sql.SQL("'epoch'::timestamptz"),
        customer=Scope.CUSTOMER.value,
        organization=Scope.ORGANIZATION.value,
    )
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL work_mem = '64MB'")  # a step's groups are to fit
        cursor.execute(statement.as_string(cursor.connection))
        fullest = cursor.fetchone()
    return None if fullest is None else fullest[0]


def _is_unbounded(version: MeterVersion, day: datetime) -> bool:
    """Whether `day` has so many groups with so few events that buckets are of no use, as with ids of tasks.

    What was projected so far stays true up to its watermark.
    """
    with connection.cursor() as cursor:
        cursor.execute(_GROUPS, [version.pk, Scope.ORGANIZATION, day, MANY_GROUPS])
        groups, events = cursor.fetchone()
    return bool(groups == MANY_GROUPS and events < FEWEST_EVENTS * groups)


def _upper(version: MeterVersion, watermark: int) -> int | None:
    """Up to which transaction the next step may go; None where there is nothing new below the watermark."""
    bounds: dict[str, Any] = {"organization": version.meter.organization_id, "low": str(version.projected_to)}
    with connection.cursor() as cursor:
        cursor.execute(_NEXT, {**bounds, "watermark": str(watermark), "step": STEP - 1})
        last, anything = cursor.fetchone()
    if not anything:
        return None
    return watermark if last is None else int(last) + 1
