"""Where invoices are paid: the room that collects them registers here how it makes a link."""

from __future__ import annotations

from collections.abc import Callable

from billing.models import Invoice

#: Answers an address, or nothing for an invoice that it has no page for.
MakeLink = Callable[[Invoice], str]

_makers: list[MakeLink] = []


def offer_payment_links(make: MakeLink) -> None:
    """Called once at start-up by the room that collects invoices."""
    _makers[:] = [make]


def offered_link(invoice: Invoice) -> str:
    """Empty where nobody offers one."""
    return next((link for make in _makers if (link := make(invoice))), "")
