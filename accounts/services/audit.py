from __future__ import annotations

from typing import Any

from accounts.models import AuditEntry


def record_audit(*, organization_id: int, actor: str, action: str, target: str, **detail: Any) -> None:
    """Write down that `actor` (an e-mail address, a key's hint, `system`) did `action` to `target`."""
    AuditEntry.objects.create(organization_id=organization_id, actor=actor, action=action, target=target, detail=detail)
