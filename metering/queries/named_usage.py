"""Usage by the subscription that events name."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime

from django.db import connection
from psycopg import sql

from kernel.period import Period
from metering.compiler import naming
from metering.models import NamedUsage

_COUNTS = """
SELECT e.type, COUNT(*), MIN(e.time), MAX(e.time)
FROM metering_usageevent e
WHERE e.organization_id = {organization} AND e.subject IS NOT DISTINCT FROM {subject} AND {naming}
  AND e.time >= {start} AND e.time < {end}
  AND NOT EXISTS (SELECT FROM metering_eventcorrection c WHERE c.event_id = e.identity)
GROUP BY e.type ORDER BY e.type
"""

#: Each subject of an organization after one, by one index lookup each.
_SUBJECTS = """
WITH RECURSIVE found AS (
    (SELECT e.subject FROM metering_usageevent e WHERE e.organization_id = %(organization)s AND e.subject > %(after)s
     ORDER BY e.subject LIMIT 1)
    UNION ALL
    SELECT (SELECT e.subject FROM metering_usageevent e
            WHERE e.organization_id = %(organization)s AND e.subject > found.subject ORDER BY e.subject LIMIT 1)
    FROM found WHERE found.subject IS NOT NULL
)
SELECT subject FROM found WHERE subject IS NOT NULL LIMIT %(limit)s
"""


@dataclass(frozen=True, slots=True)
class EventCount:
    """How many events of a type there are, and when the first and the last were. Voided ones are not among them."""

    type: str
    events: int
    first_at: datetime
    last_at: datetime


def named_days(organization_id: int, customers: Collection[str]) -> Mapping[str, Mapping[str, list[date]]]:
    """By customer and the name they give a subscription, the days (of UTC) on which events name it."""
    found: dict[str, dict[str, list[date]]] = defaultdict(lambda: defaultdict(list))
    rows = NamedUsage.objects.filter(organization_id=organization_id, subject__in=customers).order_by("day")
    for subject, name, day in rows.values_list("subject", "subscription", "day"):
        found[subject][name].append(day)
    return found


def subjects_after(organization_id: int, after: str, limit: int) -> list[str]:
    """The next subjects of the organization's events in the log, in order, at most `limit`."""
    with connection.cursor() as cursor:
        cursor.execute(_SUBJECTS, {"organization": organization_id, "after": after, "limit": limit})
        return [subject for (subject,) in cursor.fetchall()]


def count_events(
    *, organization_id: int, customer: str | None, period: Period, names: Sequence[str] | None, unnamed: bool = False
) -> list[EventCount]:
    """The events of a customer (None for none) of a period that are in the log, by type: all, or those that name a
    subscription by one of `names` and, with `unnamed`, those that name none."""
    with connection.cursor() as cursor:
        statement = sql.SQL(_COUNTS).format(
            organization=organization_id,
            subject=sql.Literal(customer),
            naming=naming(names, unnamed),
            start=sql.Literal(period.start),
            end=sql.Literal(period.end),
        )
        cursor.execute(statement.as_string(cursor.connection))
        return [EventCount(*row) for row in cursor.fetchall()]
