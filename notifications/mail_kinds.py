"""The kinds of mail there are."""

from __future__ import annotations

#: What each kind is for; its template says what its context holds.
MAIL_KINDS = {
    "invoice_issued": "An invoice, to the customer",
    "payment_received": "A receipt, to the customer",
    "payment_failed": "A charge that did not go through, to the customer",
    "payment_reminder": "An invoice that is overdue, to the customer",
    "budget_reached": "A budget that has reached a threshold",
    "export_ready": "A file for finance",
    "member_invited": "An invitation to the organization",
    "portal_link": "A link into the customer portal",
    "password_reset": "A link that sets a new password, to a member",
    "webhook_disabled": "A webhook endpoint that is disabled",
}
