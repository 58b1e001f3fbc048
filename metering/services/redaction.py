"""Free text in the events of an erased customer, made unreadable where the events lie.

The log is append-only but for this: `data` keeps its form, its numbers and every value that sums, filters, prices or
the summaries of tasks go by, so that no usage changes. Text that meters only group by or count becomes tokens, equal
where the texts were, and those meters' buckets are built again. Identity and content hash stay, so that an event sent
again is still a duplicate.
"""

from __future__ import annotations

import secrets
from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any

from django.db import connection, transaction
from django.db.models import Exists, OuterRef

from metering.models import ArchivedOrganization, MeterVersion, Redaction, Scope, UsageBucket
from metering.services.protection import read_paths

#: Fields of agents' activity that say which agent, model or task it was: names and ids, and no free text.
ACTIVITY_FIELDS = (
    "agent", "agent_version", "task_id", "turn_id", "decision_id", "parent_id", "conversation_id", "trace_id",
    "span_id", "environment", "region", "hardware", "sdk", "outcome", "outcome_source", "initiator", "channel", "kind",
    "tool", "provider", "model", "model_digest", "quantization", "finish_reason", "cost_currency",
)  # fmt: skip

STANDARD_PATHS = tuple(f"data.{name}" for name in ACTIVITY_FIELDS)

_AT_ONCE = 5_000

_EVENTS = """
WITH batch AS MATERIALIZED (
    SELECT identity, time FROM metering_usageevent
    WHERE organization_id = %(organization)s AND subject = %(subject)s
      AND (%(time)s::timestamptz IS NULL OR (time, identity) > (%(time)s::timestamptz, %(identity)s::uuid))
    ORDER BY time, identity LIMIT %(most)s
), redacted AS (
    UPDATE metering_usageevent e SET data = metering_redact(e.data, 'data', %(kept)s, %(salt)s)
    FROM batch WHERE e.organization_id = %(organization)s AND e.time = batch.time AND e.identity = batch.identity
      AND e.data <> metering_redact(e.data, 'data', %(kept)s, %(salt)s)
    RETURNING 1
)
SELECT (SELECT COUNT(*) FROM redacted), identity, time FROM batch ORDER BY time DESC, identity DESC LIMIT 1
"""

_CORRECTIONS = """
UPDATE metering_eventcorrection SET data = metering_redact(data, 'data', %(kept)s, %(salt)s), reason = '[erased]'
WHERE organization_id = %(organization)s AND subject = %(subject)s
"""

_QUARANTINED = """
UPDATE metering_quarantinedevent SET data = metering_redact(data, 'data', %(kept)s, %(salt)s)
WHERE organization_id = %(organization)s AND subject = %(subject)s
"""


def begin_redaction(
    *, organization_id: int, subjects: Sequence[str], priced: Collection[tuple[str, str]], now: datetime
) -> list[Redaction]:
    """Have the text in the events of `subjects` made unreadable; see `redact`.

    `priced` are (meter, dimension) of the dimensions whose values prices and budgets go by: they stay.
    """
    kept = sorted(needed_paths(organization_id, priced))
    return [
        Redaction.objects.create(
            organization_id=organization_id, subject=subject, salt=secrets.token_bytes(32), kept=kept, created_at=now
        )
        for subject in subjects
    ]


def redact(*, redaction_id: int, now: datetime, most: int | None = None) -> bool:
    """Go on with a redaction, 5,000 events to a transaction; returns if it is done, or False after `most` events.

    Safe to run twice and to kill: each step says how far it came in its own transaction.
    """
    seen = 0
    while most is None or seen < most:
        with transaction.atomic():
            row = Redaction.objects.select_for_update().filter(pk=redaction_id, finished_at=None).first()
            if row is None:
                return True
            if not _step(row, now):
                return True
        seen += _AT_ONCE
    return False


def _step(row: Redaction, now: datetime) -> bool:
    """Redact the next events of `row`; returns if there may be more."""
    values: dict[str, Any] = {
        "organization": row.organization_id,
        "subject": row.subject,
        "time": row.time,
        "identity": row.identity,
        "most": _AT_ONCE,
        "kept": [*STANDARD_PATHS, *row.kept],
        "salt": bytes(row.salt),
    }
    with connection.cursor() as cursor:
        cursor.execute("SELECT set_config('taximeter.redacting', 'on', TRUE)")
        cursor.execute(_EVENTS, values)
        found = cursor.fetchone()
        if row.time is None or found is None:  # at the end again, for those that were written meanwhile
            cursor.execute(_CORRECTIONS, values)
            cursor.execute(_QUARANTINED, values)
        cursor.execute("SELECT set_config('taximeter.redacting', 'off', TRUE)")
    if found is None:
        if row.events:
            _rebuild(row)
        row.salt, row.finished_at = b"", now
    else:
        row.events, row.identity, row.time = row.events + found[0], found[1], found[2]
    row.save()
    return found is not None


def unfinished_redactions() -> list[int]:
    """Redactions that are still to be done."""
    return list(Redaction.objects.filter(finished_at=None).order_by("id").values_list("id", flat=True))


def needed_paths(organization_id: int, priced: Collection[tuple[str, str]]) -> set[str]:
    """The places in `data` whose very values usage and its price depend on, by any version of a meter."""
    found: set[str] = set()
    for version in _versions(organization_id):
        found.update(read_paths(version.definition))
        dimensions = version.definition.get("dimensions") or {}
        found.update(str(path) for name, path in dimensions.items() if (version.meter.key, name) in priced)
    return found


def _rebuild(row: Redaction) -> None:
    """Let buckets that hold what was redacted be built again from the log; answers stay exact meanwhile, and slower.

    Only of meters that group by or count text which is neither kept nor the name of an agent, model or task.
    """
    kept = {*STANDARD_PATHS, *row.kept}
    texts_in = [version.pk for version in _versions(row.organization_id) if _texts(version.definition) - kept]
    held = UsageBucket.objects.filter(scope=Scope.CUSTOMER, subject=row.subject, meter_version=OuterRef("pk"))
    with_text = MeterVersion.objects.filter(Exists(held), pk__in=texts_in).values_list("pk", flat=True)
    for version in MeterVersion.objects.select_for_update().filter(pk__in=list(with_text)).order_by("pk"):
        # Another subject's buckets hold the same texts as their own events do.
        UsageBucket.objects.filter(meter_version=version).delete()
        MeterVersion.objects.filter(pk=version.pk).update(projected_to=0, archived={}, unbounded=False)


def _texts(definition: dict[str, Any]) -> set[str]:
    """The places that a meter groups by, or counts different values at."""
    value = {str(definition["value"])} if definition["aggregation"] == "unique_count" else set()
    return value | {str(path) for path in (definition.get("dimensions") or {}).values()}


def _versions(organization_id: int) -> Any:
    return MeterVersion.objects.filter(meter__organization_id=organization_id).select_related("meter")


def has_archives(organization_id: int) -> bool:
    """Report if events of the organization lie in archives, which are never rewritten."""
    return ArchivedOrganization.objects.filter(organization_id=organization_id).exists()
