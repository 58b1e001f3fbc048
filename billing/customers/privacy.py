"""A customer's details in billing: replaced by neutral ones, while its books stay."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date, datetime
from typing import Any

from django.db.models import Q

from accounts.facade import ERASED, KeyPurpose, Person, audit_entries_of, destroy_keys, privacy_policy_of, record_audit
from billing.invoicing.bills import bills_in_month, without_invoice
from billing.invoicing.models import InvoiceStatus
from billing.models import CreditGrant, CreditNote, Customer, Invoice, InvoiceLine, OneOffCharge, Payment, Price
from billing.subscriptions.ends import cancel_subscription
from billing.subscriptions.queries import with_terms
from billing.subscriptions.timeline import zone_of
from kernel.errors import ConflictError
from kernel.period import Month

ANONYMIZED_NAME, ERASED_NAME = "Anonymized customer", "Erased customer"
_NEUTRAL_CHARGE, _NEUTRAL_CREDIT = "Charge", "Credit"


class ErasureRefused(ConflictError):
    """Something has to be settled before the customer can be erased; `code` names it."""


def person_of(customer: Customer) -> Person:
    """The customer, with those merged into it, as the apps find traces of it."""
    family = [customer, *Customer.objects.filter(merged_into=customer)]
    ids = [one.pk for one in family]
    invoices = list(Invoice.objects.filter(customer__in=ids).values_list("pk", "number"))
    things = [pk for pk, _ in invoices] + [number for _, number in invoices if number]
    for one in family:
        for rows in (one.subscriptions, one.credit_grants, one.one_off_charges):
            things += rows.values_list("pk", flat=True)
    things += Payment.objects.filter(invoice__customer__in=ids).values_list("pk", flat=True)
    things += CreditNote.objects.filter(invoice__customer__in=ids).values_list("pk", flat=True)
    texts = {text for one in family for text in _texts_of(vars(one))}
    for entry in audit_entries_of(customer.organization_id, action="customer").filter(target__in=ids):
        for part in (entry.detail, entry.detail.get("before"), entry.detail.get("after")):
            texts.update(_texts_of(part) if isinstance(part, dict) else ())
    texts -= {ANONYMIZED_NAME, ERASED_NAME, *(one.key for one in family)}
    return Person(
        organization_id=customer.organization_id,
        customers=tuple(ids),
        subjects=tuple(one.key for one in family),
        things=tuple(things),
        texts=tuple(sorted(texts)),
    )


def _texts_of(values: Mapping[str, Any]) -> Iterator[str]:
    """The values that are the customer's alone, of its row or of an audit entry: no country, no city."""
    address = values.get("address")
    lines = address if isinstance(address, dict) else {}
    found = [values.get(name) for name in ("name", "email", "tax_id")]
    found += [lines.get(name) for name in ("name", "line1", "street")]
    yield from (one for one in found if isinstance(one, str) and one and one != ERASED)


def neutralize_customer(*, person: Person, now: datetime, is_erased: bool) -> None:
    """Replace the details of a customer and of the free texts about it that no document holds.

    Descriptions on issued invoices, reasons of credit notes and references of payments are part of the books and stay.
    """
    customers = Customer.objects.filter(pk__in=person.customers)
    customers.update(name=ERASED_NAME if is_erased else ANONYMIZED_NAME, email="", address={}, tax_id="", metadata={})
    customers.filter(anonymized_at=None).update(anonymized_at=now)
    if is_erased:
        customers.filter(erased_at=None).update(erased_at=now)
    drafts = Invoice.objects.filter(customer__in=person.customers, status=InvoiceStatus.DRAFT)
    InvoiceLine.objects.filter(invoice__in=drafts, one_off_charge__isnull=False).update(description=_NEUTRAL_CHARGE)
    OneOffCharge.objects.filter(customer__in=person.customers).update(description=_NEUTRAL_CHARGE)
    CreditGrant.objects.filter(customer__in=person.customers).update(name=_NEUTRAL_CREDIT)


def require_erasable(*, customer: Customer, now: datetime, cancel_first: bool) -> None:
    """Cancel the customer's subscriptions where `cancel_first` says so; raise `ErasureRefused` while anything of the
    customer is still to be billed, paid or used up."""
    members = [customer, *Customer.objects.filter(merged_into=customer)]
    for one in members:
        for subscription in one.subscriptions.filter(Q(ends_at=None) | Q(ends_at__gt=now)):
            if not cancel_first:
                raise ErasureRefused(
                    "This customer has an active subscription. Cancel it, or send cancel_first",
                    code="subscription_active",
                )
            cancel_subscription(subscription=subscription, ends_at=now, now=now)
    ids = [one.pk for one in members]
    invoices = Invoice.objects.filter(customer__in=ids)
    if invoices.filter(status=InvoiceStatus.DRAFT).exists():
        raise ErasureRefused("This customer has a draft invoice. Finalize it first", code="draft_open")
    if (unpaid := invoices.filter(status=InvoiceStatus.FINALIZED, amount_due__gt=0).first()) is not None:
        raise ErasureRefused(
            f"Invoice {unpaid.number} is unpaid. Record its payment, void it or write it off first",
            code="invoice_unpaid",
        )
    if (month := next(_unbilled_months(ids), None)) is not None:
        raise ErasureRefused(f"Usage until {month} is not billed yet. Close that month first", code="usage_unbilled")
    if CreditGrant.objects.filter(customer__in=ids, balance__gt=0).exists():
        raise ErasureRefused("This customer has credit left. Void its grants first", code="credit_left")
    if OneOffCharge.objects.filter(customer__in=ids, line=None).exists():
        raise ErasureRefused("This customer has a charge that is not billed. Delete it first", code="charge_pending")


def _unbilled_months(customers: list[str]) -> Iterator[Month]:
    """Months with a bill that has no invoice yet."""
    for member in Customer.objects.filter(pk__in=customers):
        for subscription in with_terms(member.subscriptions.all()):
            zone = zone_of(subscription)
            month = Month.of(subscription.starts_at, zone)
            last = Month.of(subscription.ends_at, zone).next() if subscription.ends_at else month
            while month <= last:
                if without_invoice(list(bills_in_month(subscription, month))):
                    yield month
                month = month.next()


def priced_dimensions(organization_id: int) -> set[tuple[str, str]]:
    """(meter, dimension), by their keys, of each dimension whose values prices go by."""
    found: set[tuple[str, str]] = set()
    prices = Price.objects.filter(plan_version__plan__organization_id=organization_id, meter__isnull=False)
    for meter, where, model in prices.values_list("meter__key", "filter", "model"):
        names = [*(where or {}), *(model.get("dimensions") or [])]
        found.update((meter, str(name)) for name in names)
    return found


def keep_documents(*, customer_ids: tuple[str, ...], organization_id: int, now: datetime) -> date | None:
    """Set until when the buyers on the customers' documents can be read, and destroy the key where that is over or
    there is none; returns the last day, None where nothing is kept.

    From the end of the calendar year of the last document on, as § 147 (4) AO and § 14b UStG count.
    """
    years = privacy_policy_of(organization_id).retention_years
    last_day = None
    for customer in Customer.objects.filter(pk__in=customer_ids):
        newest = customer.invoices.exclude(finalized_at=None).order_by("-finalized_at").first()
        until = date(newest.finalized_at.year + years, 12, 31) if newest and newest.finalized_at else None
        if until is None or until < now.date():
            destroy_keys(
                organization_id=organization_id, holders=[customer.pk], purposes=[KeyPurpose.DOCUMENTS], at=now
            )
            until = None
        Customer.objects.filter(pk=customer.pk).update(documents_until=until)
        last_day = max(filter(None, (last_day, until)), default=None)
    return last_day


def destroy_old_documents(*, now: datetime) -> int:
    """Destroy the documents keys of customers whose retention is over; returns of how many. Safe to run twice.

    A customer that went on being billed after it was anonymized gets a later day instead.
    """
    due = Customer.objects.filter(documents_until__lt=now.date()).order_by("id")
    destroyed = 0
    for customer in due[:10_000]:
        if keep_documents(customer_ids=(customer.pk,), organization_id=customer.organization_id, now=now) is None:
            destroyed += 1
            record_audit(
                organization_id=customer.organization_id, action="customer.destroy_documents_key", target=customer.pk
            )
    return destroyed


def count_retention_again(*, organization_id: int, now: datetime) -> int:
    """Set the days again by the organization's present retention; returns of how many customers."""
    kept = Customer.objects.filter(organization_id=organization_id, documents_until__isnull=False)
    ids = tuple(kept.values_list("pk", flat=True))
    keep_documents(customer_ids=ids, organization_id=organization_id, now=now)
    return len(ids)
