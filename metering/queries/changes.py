"""Which days' usage has changed since somebody looked: by late events, and by events taken back."""

from __future__ import annotations

from datetime import UTC, datetime

from psycopg import sql

from kernel.period import Period
from metering.archive.recall import ask, everything
from metering.archive.selection import Selection
from metering.compiler import Fragment
from metering.contracts import ChangedDay

_CHANGED = """
WITH changed AS MATERIALIZED (
    SELECT e.subject, e.time FROM {log} e WHERE {is_new}
    UNION ALL
    SELECT e.subject, e.time FROM metering_eventcorrection e WHERE {is_new}
)
SELECT subject, (date_bin('1 day', time, 'epoch'::timestamptz) AT TIME ZONE 'UTC')::date AS day
FROM changed GROUP BY 1, 2 ORDER BY 1, 2
"""

# The lower bound on xid says nothing that the visibility does not; it is what the index can use.
_IS_NEW = """
e.organization_id = {organization} AND e.time < {before}::timestamptz AND e.subject IS NOT NULL
AND e.xid >= pg_snapshot_xmin({since}::pg_snapshot) AND NOT pg_visible_in_snapshot(e.xid, {since}::pg_snapshot)
"""
_IS_SEEN = " AND pg_visible_in_snapshot(e.xid, {until}::pg_snapshot)"

_FIRST = datetime(1, 1, 1, tzinfo=UTC)


def changed_periods(*, organization_id: int, since: str, until: str | None, before: datetime) -> list[ChangedDay]:
    """The customers and days whose usage changed after the snapshot `since`, in their order.

    By events at times < `before` that were written or taken back in transactions which `since` could not see,
    and which `until`, where it is given, could. Both are PostgreSQL's `pg_snapshot` as text, as invoices keep
    them. Such a day may still come to what it was, for instance if no meter counts those events.
    """
    is_new = sql.SQL(_IS_NEW if until is None else _IS_NEW + _IS_SEEN).format(
        organization=organization_id, before=sql.Literal(before), since=sql.Literal(since), until=sql.Literal(until)
    )

    def statement(log: Fragment) -> sql.Composed:
        return sql.SQL(_CHANGED).format(log=log, is_new=is_new)

    period = Period(_FIRST, before)
    selection = Selection(organization_id, periods=(period,), first_xid=int(since.split(":", maxsplit=1)[0]))
    rows = ask(statement, organization_id=organization_id, period=period, plan=everything(selection))
    return [ChangedDay(subject, day) for subject, day in rows]
