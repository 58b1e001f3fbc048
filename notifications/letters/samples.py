"""What mail of each kind is filled with in the console's previews."""

from __future__ import annotations

from typing import Any

_INVOICE = {
    "id": "inv_sample",
    "number": "INV-000042",
    "currency": "EUR",
    "total": "1234.50",
    "amount_due": "1234.50",
    "due_at": "2026-12-01T00:00:00Z",
}
_TO_CUSTOMER: dict[str, Any] = {
    "customer": "Birch & Sons",
    "invoice": _INVOICE,
    "payment_url": "https://pay.example.com/INV-000042",
}

SAMPLES: dict[str, dict[str, Any]] = {
    "invoice_issued": {**_TO_CUSTOMER, "is_attached": True},
    "payment_received": {**_TO_CUSTOMER, "invoice": {**_INVOICE, "amount_due": "0"}},
    "payment_failed": {
        **_TO_CUSTOMER,
        "reason": "Your card has insufficient funds.",
        "next_charge_at": "2026-12-04T09:00:00Z",
    },
    "payment_reminder": {**_TO_CUSTOMER, "day": 7},
    "budget_reached": {
        "name": "Support desk",
        "percent": "80",
        "used": "412.35",
        "amount": "500",
        "currency": "EUR",
        "period_start": "2026-11-01T00:00:00Z",
        "period_end": "2026-12-01T00:00:00Z",
        "is_stopped": True,
    },
    "export_ready": {
        "kinds": ["invoices", "lines"],
        "format": "xlsx",
        "month": "2026-10",
        "files": [{"name": "invoices-2026-10.xlsx"}],
    },
    "webhook_disabled": {
        "url": "https://erp.example.com/hooks/taximeter",
        "reason": "failing",
        "failing_since": "2026-11-19T08:12:00Z",
        "path": "/webhooks",
    },
    "member_invited": {
        "role": "finance",
        "invited_by": "owner@example.com",
        "link": "https://billing.example.com/invitations/sample",
        "expires_at": "2026-12-01T12:00:00Z",
    },
    "portal_link": {
        "customer": "Birch & Sons",
        "link": "https://billing.example.com/portal/sample",
        "expires_at": "2026-12-01T12:00:00Z",
    },
    "password_reset": {"link": "https://billing.example.com/password/sample", "minutes": 60},
}
