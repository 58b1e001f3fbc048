"""Which days' usage has changed since somebody looked: by late events, and by events taken back."""

from __future__ import annotations

from datetime import datetime

from django.db import connection

from metering.contracts import ChangedDay

# The lower bound on xid says nothing that the visibility does not; it is what the index can use.
_CHANGED = """
WITH changed AS MATERIALIZED (
    SELECT e.subject, e.time FROM metering_usageevent e
    WHERE e.organization_id = %(organization)s AND e.time < %(before)s AND e.subject IS NOT NULL AND {event_is_new}
    UNION ALL
    SELECT c.subject, c.time FROM metering_eventcorrection c
    WHERE c.organization_id = %(organization)s AND c.time < %(before)s AND c.subject IS NOT NULL AND {correction_is_new}
)
SELECT subject, (date_bin('1 day', time, 'epoch'::timestamptz) AT TIME ZONE 'UTC')::date AS day
FROM changed GROUP BY 1, 2 ORDER BY 1, 2
"""
_IS_NEW = """
{table}.xid >= pg_snapshot_xmin(%(since)s::pg_snapshot)
AND NOT pg_visible_in_snapshot({table}.xid, %(since)s::pg_snapshot)
AND (%(until)s::text IS NULL OR pg_visible_in_snapshot({table}.xid, %(until)s::pg_snapshot))
"""
_STATEMENT = _CHANGED.format(event_is_new=_IS_NEW.format(table="e"), correction_is_new=_IS_NEW.format(table="c"))


def changed_periods(*, organization_id: int, since: str, until: str | None, before: datetime) -> list[ChangedDay]:
    """The customers and days whose usage changed after the snapshot `since`, in their order.

    By events at times < `before` that were written or taken back in transactions which `since` could not see,
    and which `until`, where it is given, could. Both are PostgreSQL's `pg_snapshot` as text, as invoices keep
    them. Such a day may still come to what it was, for instance if no meter counts those events.
    """
    asked = {"organization": organization_id, "since": since, "until": until, "before": before}
    with connection.cursor() as cursor:
        cursor.execute(_STATEMENT, asked)
        return [ChangedDay(subject, day) for subject, day in cursor.fetchall()]
