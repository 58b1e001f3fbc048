"""Since when the log waits for those who read it."""

from __future__ import annotations

from datetime import datetime

from django.db import connection

from metering.domain.meters import PROJECTED

_OLDEST = """
SELECT MIN(received_at) FROM (
    SELECT received_at FROM metering_usageevent
    WHERE organization_id = %(organization)s AND xid >= %(first)s::xid8 ORDER BY xid LIMIT 1
) oldest
"""

# Of the newest version of each meter that is carried forward at all.
_REACHED = """
SELECT MIN(v.projected_to)::text FROM metering_meterversion v JOIN metering_meter m ON m.id = v.meter_id
WHERE m.organization_id = %(organization)s AND v.definition ->> 'aggregation' = ANY(%(aggregations)s)
  AND NOT v.unbounded
  AND NOT EXISTS (SELECT FROM metering_meterversion newer WHERE newer.meter_id = m.id AND newer.number > v.number)
"""


def waiting_since(*, organization_id: int, first_xid: int) -> datetime | None:
    """When the first event was received that a reader who has all before the transaction `first_xid` has not; None
    where it has all. Looks at one entry of an index."""
    with connection.cursor() as cursor:
        cursor.execute(_OLDEST, {"organization": organization_id, "first": str(first_xid)})
        found: datetime | None = cursor.fetchone()[0]
    return found


def projections_wait_since(organization_id: int) -> datetime | None:
    """`waiting_since` of the meter whose projection is behind most."""
    with connection.cursor() as cursor:
        cursor.execute(_REACHED, {"organization": organization_id, "aggregations": sorted(PROJECTED)})
        reached = cursor.fetchone()[0]
    return None if reached is None else waiting_since(organization_id=organization_id, first_xid=int(reached))
