"""Delivering what schedules exported: files first, the manifest last, again until it has arrived."""

from __future__ import annotations

import json
import logging
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import F

from exports.models import Export
from exports.services.places import directory_of
from exports.services.targets import Target
from exports.services.telling import mail
from kernel.redaction import without_paths

logger = logging.getLogger("exports")

#: How long a delivery is left to whoever took it up.
_LEASE = timedelta(minutes=30)

_MOST_WAITED = timedelta(hours=6)

#: What the last file of a delivery is called.
MANIFEST = "manifest.json"


def exports_to_deliver(now: datetime) -> list[str]:
    return list(Export.objects.filter(deliver_at__lte=now).order_by("deliver_at").values_list("id", flat=True))


def deliver_export(*, export_id: str, target: Target | None, now: datetime) -> bool:
    """Put the export's files where `target` says, or leave them for download where there is none. Returns whether it
    is done; a failure is tried again, after a minute, then two, up to six hours."""
    taken = Export.objects.filter(pk=export_id, deliver_at__lte=now).update(
        deliver_at=now + _LEASE, delivery_attempts=F("delivery_attempts") + 1
    )
    if not taken:
        return False
    export = Export.objects.select_related("organization", "schedule").get(pk=export_id)
    try:
        place = _put(export, target) if target else None
    except Exception as error:
        # Whatever storage answers (a full disk, no connection, wrong credentials), it may answer otherwise later.
        logger.warning("export %s was not delivered: %s", export_id, error)
        wait = min(timedelta(minutes=2 ** min(export.delivery_attempts - 1, 10)), _MOST_WAITED)
        Export.objects.filter(pk=export_id).update(
            deliver_at=now + wait, delivery_problem=without_paths(str(error))[:2000]
        )
        return False
    with transaction.atomic():
        export.deliver_at, export.delivered_at, export.delivery_problem = None, now, ""
        export.save(update_fields=["deliver_at", "delivered_at", "delivery_problem"])
        mail(export, now, place)
    return True


def _put(export: Export, target: Target) -> str:
    folder = f"{export.organization.key}/{export.month}/{export.schedule_id}"
    source = directory_of(export)
    for one in export.manifest["files"]:
        target.put(source / one["name"], folder, one["name"])
    content = json.dumps(export.manifest, indent=2, ensure_ascii=False, sort_keys=True) + "\n"
    target.put_bytes(content.encode(), folder, MANIFEST)
    return target.named(folder)
