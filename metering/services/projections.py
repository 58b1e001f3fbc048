"""Carrying the log forward into hourly buckets. Safe to run anywhere, at once and to kill."""

from __future__ import annotations

from django.db import connection, transaction
from psycopg import sql

from metering.compiler import compile_meter
from metering.domain.meters import PROJECTED
from metering.models import MeterVersion
from metering.queries.meters import definition_of
from metering.queries.usage import signed_rows

#: About how many events one transaction takes in; a whole transaction's events always go together.
STEP = 200_000

# Below this, every transaction has ended: nothing can appear there any more.
_WATERMARK = "SELECT pg_snapshot_xmin(pg_current_snapshot())::text"

_BEHIND = """
SELECT v.id FROM metering_meterversion v JOIN metering_meter m ON m.id = v.meter_id
WHERE v.definition ->> 'aggregation' = ANY(%(aggregations)s)
  AND (EXISTS (SELECT FROM metering_usageevent e WHERE e.organization_id = m.organization_id
               AND e.xid >= v.projected_to AND e.xid < %(watermark)s::xid8)
    OR EXISTS (SELECT FROM metering_eventcorrection c WHERE c.organization_id = m.organization_id
               AND c.xid >= v.projected_to AND c.xid < %(watermark)s::xid8))
ORDER BY v.id
"""

_APPLY = """
INSERT INTO metering_usagebucket (meter_version_id, subject, hour, dimensions, value, events, quantity)
SELECT {version}, subject, date_trunc('hour', at, 'UTC') AS hour, dimensions, value, SUM(events), SUM(quantity)
FROM ({rows}) signed_rows
GROUP BY subject, hour, dimensions, value
ORDER BY subject, hour, dimensions, value
ON CONFLICT (meter_version_id, subject, hour, dimensions, value) DO UPDATE
SET events = metering_usagebucket.events + EXCLUDED.events,
    quantity = metering_usagebucket.quantity + EXCLUDED.quantity
"""

_NEXT = """
SELECT COUNT(*), (ARRAY_AGG(step.xid ORDER BY step.xid DESC))[1]::text FROM (
    SELECT either.xid FROM (
        (SELECT xid FROM metering_usageevent
         WHERE organization_id = %s AND xid >= %s::xid8 AND xid < %s::xid8 ORDER BY xid LIMIT %s)
        UNION ALL
        (SELECT xid FROM metering_eventcorrection
         WHERE organization_id = %s AND xid >= %s::xid8 AND xid < %s::xid8 ORDER BY xid LIMIT %s)
    ) either ORDER BY either.xid LIMIT %s
) step
"""


def advance_projections() -> int:
    """Bring every meter's projection up to the present watermark; returns how many steps were made."""
    with connection.cursor() as cursor:
        cursor.execute(_WATERMARK)
        watermark = cursor.fetchone()[0]
        cursor.execute(_BEHIND, {"watermark": watermark, "aggregations": sorted(PROJECTED)})
        behind = [version for (version,) in cursor.fetchall()]
    steps = 0
    for version in behind:
        while advance_projection(meter_version_id=version):
            steps += 1
    return steps


def advance_projection(*, meter_version_id: int) -> bool:
    """One step of one meter version, in one transaction: its buckets and its cursor move together.

    Returns whether anything was left to do. A version that another worker holds is left to it.
    """
    with transaction.atomic():
        version = (
            MeterVersion.objects.select_for_update(skip_locked=True, of=("self",))
            .select_related("meter")
            .filter(pk=meter_version_id)
            .first()
        )
        if version is None:
            return False
        upper = _upper(version)
        if upper is None:
            return False
        forever = (sql.SQL("'-infinity'::timestamptz"), sql.SQL("'infinity'::timestamptz"))
        within = sql.SQL("{table}.xid >= {low}::xid8 AND {table}.xid < {high}::xid8")
        rows = signed_rows(
            compile_meter(definition_of(version)),
            sql.Literal(version.meter.organization_id),
            forever,
            within,
            low=sql.Literal(str(version.projected_to)),
            high=sql.Literal(str(upper)),
        )
        statement = sql.SQL(_APPLY).format(version=version.pk, rows=sql.SQL(" UNION ALL ").join(rows))
        with connection.cursor() as cursor:
            cursor.execute(statement.as_string(cursor.connection))
        MeterVersion.objects.filter(pk=version.pk).update(projected_to=upper)
    return True


def _upper(version: MeterVersion) -> int | None:
    """Up to which transaction the next step may go; None where there is nothing new below the watermark."""
    bounds = [version.meter.organization_id, str(version.projected_to)]
    with connection.cursor() as cursor:
        cursor.execute(_WATERMARK)
        watermark = cursor.fetchone()[0]
        cursor.execute(_NEXT, [*bounds, watermark, STEP, *bounds, watermark, STEP, STEP])
        count, last = cursor.fetchone()
    if not count:
        return None
    return int(watermark) if count < STEP else int(last) + 1
