"""Telling others what became of an export."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from exports.models import Export, ExportStatus
from notifications.facade import Announcement, announce, queue_mail


def tell(export: Export, now: datetime) -> None:
    """Announce that an export has ended, in the caller's transaction. Who is to be mailed hears of one that succeeded;
    of a scheduled one when it was delivered."""
    succeeded = export.status == ExportStatus.SUCCEEDED
    announce(
        [
            Announcement(
                organization_id=export.organization_id,
                type="export.completed" if succeeded else "export.failed",
                subject=export.pk,
                data=_data(export),
                at=now,
            )
        ]
    )
    if succeeded and export.deliver_at is None:
        mail(export, now)


def mail(export: Export, now: datetime, place: str | None = None) -> None:
    """Queue the mail that says where the files are: for download, or at `place`. The same mail once."""
    if not export.mail_to:
        return
    queue_mail(
        organization_id=export.organization_id,
        kind="export_ready",
        to=export.mail_to,
        context={**_data(export), "place": place},
        key=f"export_ready:{export.pk}",
        at=now,
    )


def _data(export: Export) -> dict[str, Any]:
    return {
        "id": export.pk,
        "kind": export.kinds[0] if len(export.kinds) == 1 else None,
        "kinds": export.kinds,
        "format": export.format,
        "month": export.month,
        "status": str(export.status),
        "failure": {"code": export.failure_code, "detail": export.failure_detail} if export.failure_code else None,
        "files": export.manifest.get("files", []),
        "schedule": export.schedule_id,
    }
