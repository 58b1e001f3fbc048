"""Payments and credit notes of an organization."""

from __future__ import annotations

from django.db.models import QuerySet

from billing.models import CreditNote, Payment
from rest.lookup import find


def payments_of(
    organization_id: int, *, customer_id: str | None = None, invoice_id: str | None = None
) -> QuerySet[Payment]:
    """The organization's payments and refunds, in the order in which they were noted."""
    filters = {"invoice__customer": customer_id, "invoice": invoice_id}
    given = {name: value for name, value in filters.items() if value is not None}
    found = Payment.objects.filter(organization_id=organization_id, **given)
    return found.select_related("invoice__customer__test_clock").order_by("id")


def get_payment(*, organization_id: int, payment: str) -> Payment:
    """The payment with this id; `NotFoundError` with code `payment_not_found`."""
    return find(payments_of(organization_id), payment, what="payment")


def credit_notes_of(
    organization_id: int, *, customer_id: str | None = None, invoice_id: str | None = None
) -> QuerySet[CreditNote]:
    """The organization's credit notes with their lines, in the order of their numbers."""
    filters = {"invoice__customer": customer_id, "invoice": invoice_id}
    given = {name: value for name, value in filters.items() if value is not None}
    found = CreditNote.objects.filter(organization_id=organization_id, **given)
    return found.select_related("invoice__customer").prefetch_related("lines").order_by("id")


def get_credit_note(*, organization_id: int, credit_note: str) -> CreditNote:
    """The credit note with this id; `NotFoundError` with code `credit_note_not_found`."""
    return find(credit_notes_of(organization_id), credit_note, what="credit_note")
