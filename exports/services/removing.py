from __future__ import annotations

from datetime import datetime

from exports.models import Export, ExportStatus
from exports.services.places import remove_files


def remove_expired(*, now: datetime) -> int:
    """Remove the files of exports whose time is over and that are not still to be delivered. Returns of how many."""
    expired = Export.objects.filter(status=ExportStatus.SUCCEEDED, expires_at__lte=now, deliver_at=None)
    found = list(expired.select_related("organization")[:1000])
    for export in found:
        Export.objects.filter(pk=export.pk).update(status=ExportStatus.EXPIRED)
        remove_files(export)
    return len(found)
