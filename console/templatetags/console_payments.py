"""The part of an invoice's page that says how collecting it stands."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django import template

from billing.facade import Invoice, payment_link, seller_profile_of
from collection.facade import calls_of, collection_of, may_be_charged

register = template.Library()


@register.filter
def reminder_days(days: Sequence[int]) -> str:
    """Days from the due date in words: `3 days before, and 1, 7 and 14 days after it is due`."""
    before, after = [-one for one in days if one < 0], [one for one in days if one > 0]
    found = [f"{_days(before)} before"] if before else []
    found += ["on the day"] if 0 in days else []
    found += [f"{_days(after)} after"] if after else []
    return f"{', and '.join(found)} it is due" if found else "none"


def _days(counts: Sequence[int]) -> str:
    *first, last = [str(one) for one in sorted(counts)]
    listed = f"{', '.join(first)} and {last}" if first else last
    return f"{listed} day{'' if listed == '1' else 's'}"


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
