"""Files that were exported before a customer's personal details were removed."""

from __future__ import annotations

from datetime import datetime

from exports.models import Export, ExportStatus


def expire_exports(*, organization_id: int, now: datetime) -> int:
    """Let the files of all exports of the organization expire now: any of them may name the customer. The same export
    can be started again. `remove_expired` removes the files once this is committed."""
    written = Export.objects.filter(organization_id=organization_id, status=ExportStatus.SUCCEEDED)
    return written.exclude(expires_at__lte=now).update(expires_at=now, deliver_at=None)
