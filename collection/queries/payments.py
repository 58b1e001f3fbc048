"""What was asked of providers, what they took and gave back, and what differs."""

from __future__ import annotations

from django.db.models import QuerySet

from billing.facade import Invoice
from collection.models import (
    BankTransfer,
    InvoiceCollection,
    ProviderCall,
    ProviderPayment,
    Reconciliation,
    ReconciliationDifference,
)
from rest.lookup import find


def calls_of(
    organization_id: int,
    *,
    invoice: Invoice | None = None,
    customer_id: str | None = None,
    state: str | None = None,
    kind: str | None = None,
) -> QuerySet[ProviderCall]:
    asked = {"invoice": invoice, "customer": customer_id, "state": state, "kind": kind}
    rows = ProviderCall.objects.filter(
        organization_id=organization_id, **{name: value for name, value in asked.items() if value}
    )
    return rows.select_related("invoice", "customer")


def get_call(*, organization_id: int, call: str) -> ProviderCall:
    """Raises `NotFoundError` with the code `provider_call_not_found`."""
    return find(calls_of(organization_id), call, what="provider_call")


def provider_payments_of(
    organization_id: int, *, invoice: Invoice | None = None, customer_id: str | None = None
) -> QuerySet[ProviderPayment]:
    """With their refunds and disputes."""
    rows = ProviderPayment.objects.filter(organization_id=organization_id)
    if invoice is not None:
        rows = rows.filter(invoice=invoice)
    if customer_id is not None:
        rows = rows.filter(invoice__customer=customer_id)
    return rows.select_related("invoice__customer").prefetch_related("refunds", "disputes")


def get_provider_payment(*, organization_id: int, payment: str) -> ProviderPayment:
    """Raises `NotFoundError` with the code `provider_payment_not_found`."""
    return find(provider_payments_of(organization_id), payment, what="provider_payment")


def collection_of(invoice: Invoice) -> InvoiceCollection | None:
    """How collecting an invoice stands; None for one that nobody collects."""
    return InvoiceCollection.objects.filter(pk=invoice.pk).first()


def collections_of(
    organization_id: int, *, state: str | None = None, customer_id: str | None = None
) -> QuerySet[InvoiceCollection]:
    """Of what is still open, the newest invoice first."""
    rows = InvoiceCollection.objects.filter(organization_id=organization_id, closed_at=None)
    if state:
        rows = rows.filter(state=state)
    if customer_id is not None:
        rows = rows.filter(customer_id=customer_id)
    return rows.select_related("invoice", "customer")


def bank_transfers_of(organization_id: int, *, is_unmatched: bool | None = None) -> QuerySet[BankTransfer]:
    rows = BankTransfer.objects.filter(organization_id=organization_id)
    if is_unmatched is not None:
        rows = rows.filter(unmatched__gt=0) if is_unmatched else rows.filter(unmatched=0)
    return rows.select_related("invoice")


def get_bank_transfer(*, organization_id: int, transfer: str) -> BankTransfer:
    """Raises `NotFoundError` with the code `bank_transfer_not_found`."""
    return find(bank_transfers_of(organization_id), transfer, what="bank_transfer")


def reconciliations_of(organization_id: int) -> QuerySet[Reconciliation]:
    return Reconciliation.objects.filter(organization_id=organization_id)


def differences_of(
    organization_id: int, *, is_open: bool | None = None, kind: str | None = None
) -> QuerySet[ReconciliationDifference]:
    rows = ReconciliationDifference.objects.filter(organization_id=organization_id)
    if is_open is not None:
        rows = rows.filter(resolved_at__isnull=is_open)
    if kind:
        rows = rows.filter(kind=kind)
    return rows.select_related("invoice")
