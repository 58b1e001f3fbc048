from __future__ import annotations

from typing import Any
from urllib.parse import quote

from exports.models import Export, ExportSchedule, ExportStatus


def export(one: Export) -> dict[str, Any]:
    address = f"/api/v1/exports/{one.pk}/download"
    can_be_fetched = one.status == ExportStatus.SUCCEEDED
    files = [{**file, "url": f"{address}?file={quote(file['name'])}"} for file in one.manifest.get("files", [])]
    return {
        "id": one.pk,
        "kind": one.kinds[0] if len(one.kinds) == 1 else None,
        "kinds": one.kinds,
        "month": one.month,
        "format": one.format,
        "filters": {"customer": one.customer or None, "status": one.invoice_status or None},
        "status": one.state,
        "rows": one.rows,
        "total": one.progress.total,
        "failure": {"code": one.failure_code, "detail": one.failure_detail} if one.failure_code else None,
        "download": address if can_be_fetched else None,
        "files": files if can_be_fetched else [],
        "tables": one.manifest.get("tables", []),
        "schedule": one.schedule_id,
        "created_at": one.created_at,
        "finished_at": one.finished_at,
        "delivered_at": one.delivered_at,
        "expires_at": one.expires_at,
    }


def schedule(one: ExportSchedule) -> dict[str, Any]:
    return {
        "id": one.pk,
        "kinds": one.kinds,
        "format": one.format,
        "day": one.day,
        "mail_to": one.mail_to,
        "first_month": one.first_month,
        "active": one.active,
        "created_at": one.created_at,
    }
