"""The part of an invoice's page that says how collecting it stands."""

from __future__ import annotations

from typing import Any

from django import template

from billing.facade import Invoice, payment_link, seller_profile_of
from collection.facade import calls_of, collection_of, may_be_charged

register = template.Library()


@register.inclusion_tag("console/_invoice_collection.html", takes_context=True)
def invoice_collection(context: Any, invoice: Invoice) -> dict[str, Any]:
    """Nothing for a draft, and for an invoice that nobody collects and that has no page to be paid on."""
    if not invoice.number:
        return {}
    is_owed = invoice.status in {"finalized", "uncollectible"} and invoice.amount_due > 0
    may = context["request"].access.may_move_money
    return {
        "invoice": invoice,
        "collection": collection_of(invoice),
        "calls": list(calls_of(invoice.organization_id, invoice=invoice).order_by("-pk")[:5]),
        "link": payment_link(seller_profile_of(invoice.organization_id), invoice),
        "is_owed": is_owed,
        "may_charge": is_owed and may and may_be_charged(invoice),
        "csrf_token": context.get("csrf_token"),
    }
