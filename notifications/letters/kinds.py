"""Each kind of mail with the function that writes it."""

from __future__ import annotations

from notifications.letters import invoices, operators, people
from notifications.letters.letter import Write

LETTERS: dict[str, Write] = {
    "invoice_issued": invoices.invoice_issued,
    "payment_received": invoices.payment_received,
    "payment_failed": invoices.payment_failed,
    "payment_reminder": invoices.payment_reminder,
    "budget_reached": operators.budget_reached,
    "export_ready": operators.export_ready,
    "webhook_disabled": operators.webhook_disabled,
    "member_invited": people.member_invited,
    "portal_link": people.portal_link,
    "password_reset": people.password_reset,
}

#: These hold a link that lets people in: what they said is forgotten once they are sent.
SECRET = frozenset({"member_invited", "portal_link", "password_reset"})
