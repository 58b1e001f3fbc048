from __future__ import annotations

import json
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from django.db import connection
from django.db.models import OuterRef, QuerySet, Subquery

from metering.contracts import MeterNotFound
from metering.domain.meters import NUMERIC, PROJECTED, MeterDefinition, parse_meter
from metering.models import Meter, MeterVersion
from metering.stream.kept import Kept
from rest.lookup import find
from rest.statements import run


def current_versions() -> QuerySet[MeterVersion]:
    """The newest version of every meter, with its meter."""
    newest = MeterVersion.objects.filter(meter=OuterRef("meter")).order_by("-number").values("pk")[:1]
    return MeterVersion.objects.filter(pk=Subquery(newest)).select_related("meter")


def meters_of(organization_id: int) -> QuerySet[Meter]:
    """The organization's meters in the order in which they were made."""
    return Meter.objects.filter(organization_id=organization_id).prefetch_related("versions").order_by("id")


def get_meter_version(*, organization_id: int, meter: str) -> MeterVersion:
    """The newest version of the meter with this key or id; raises `MeterNotFound`."""
    if not isinstance(meter, str) or "\x00" in meter:
        raise MeterNotFound(f"There is no meter {meter!r}")
    versions = current_versions().filter(meter__organization_id=organization_id)
    found = versions.filter(meter__key=meter).first() or versions.filter(meter__id=meter).first()
    if found is None:
        raise MeterNotFound(f"There is no meter {meter!r}")
    return found


def get_meter(*, organization_id: int, meter: str) -> Meter:
    """The meter with this key or id; raises `NotFoundError` with code `meter_not_found`."""
    return find(meters_of(organization_id), meter, what="meter")


def definition_of(version: MeterVersion) -> MeterDefinition:
    """What a stored version computes."""
    return parse_meter(version.definition)


_NUMERIC_PATHS = """
SELECT DISTINCT v.definition ->> 'event_type', v.definition ->> 'value'
FROM metering_meterversion v JOIN metering_meter m ON m.id = v.meter_id
WHERE m.organization_id = %s AND v.definition ->> 'aggregation' = ANY(%s)
ORDER BY 1, 2
"""


_numeric: Kept[tuple[tuple[str, tuple[str, ...]], ...]] = Kept(seconds=1.0)


def numeric_paths(organization_id: int) -> Sequence[tuple[str, tuple[str, ...]]]:
    """(event type, path below data) of each value that a meter of the organization needs as a number.

    Believed for a second, as each request asks. An event that another process lets in meanwhile is like one that came
    just before the new meter, which skips what is no number.
    """
    if (known := _numeric.get(organization_id)) is not None:
        return known
    rows = run(_NUMERIC_PATHS, [organization_id, sorted(NUMERIC)]).fetchall()
    return _numeric.keep(
        organization_id, tuple((event_type, tuple(value.split(".")[1:])) for event_type, value in rows)
    )


def forget_numeric_paths(organization_id: int) -> None:
    """To be called when the organization's meters have changed."""
    _numeric.forget(organization_id)


# The organization's first and last transaction in the log, and how many archives are yet to be taken in.
_PROGRESS = """
SELECT (ARRAY_AGG(xid ORDER BY xid))[1]::text, (ARRAY_AGG(xid ORDER BY xid))[2]::text,
       (SELECT COUNT(*) FROM metering_archivedorganization a JOIN metering_logarchive l ON l.id = a.archive_id
        WHERE a.organization_id = %s AND a.last_xid >= %s::xid8
          AND COALESCE((%s::jsonb ->> a.archive_id::text)::int, 0) < l.row_groups)
FROM ((SELECT xid FROM metering_usageevent WHERE organization_id = %s ORDER BY xid LIMIT 1) UNION ALL
      (SELECT xid FROM metering_usageevent WHERE organization_id = %s ORDER BY xid DESC LIMIT 1)) ends
"""


def projection_progress(meter: Meter) -> dict[str, object]:
    """How far the projection of the meter's newest version has come: `{"state", "progress"}`.

    `progress` is the part of the organization's transactions that it has taken in, from 0 to 1. Answers
    are exact at any progress; what is not projected yet is read from the log.
    """
    version = max(meter.versions.all(), key=lambda v: v.number)
    if version.unbounded or version.definition["aggregation"] not in PROJECTED:
        return {"state": "from_log", "progress": None}
    organization_id = meter.organization_id
    reached: list[Any] = [organization_id, str(version.projected_to), json.dumps(version.archived)]
    with connection.cursor() as cursor:
        cursor.execute(_PROGRESS, [*reached, organization_id, organization_id])
        first, last, archives = cursor.fetchone()
    if archives:  # they come before the log
        return {"state": "building", "progress": Decimal(0)}
    if first is None or version.projected_to > int(last):
        return {"state": "live", "progress": Decimal(1)}
    span = int(last) + 1 - int(first)
    done = max(version.projected_to - int(first), 0)
    return {"state": "building", "progress": round(Decimal(done) / span, 4)}
