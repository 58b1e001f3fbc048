"""What is done about open invoices, each step once, at the time of its customer."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime

from django.db import transaction

from accounts.facade import record_audit
from billing.facade import Customer, Invoice, lock_invoice, write_off_invoice
from collection.domain import dunning
from collection.domain.dunning import Standing, Step, StepKind, Terms
from collection.models import CollectionPolicy, InvoiceCollection, ProviderCall
from collection.models.accounts import ChargeAt
from collection.models.calls import CallKind
from collection.models.dunning import DunningState
from collection.providers.directory import providers_of
from collection.queries.accounts import paying_customer, paying_customers, policy_of, terms_of
from collection.queries.dunning import is_suspended
from collection.services.charges import HELD, AmountNotChargeable, new_charge, order_charge
from collection.services.notices import (
    announce_failed_charge,
    announce_overdue,
    announce_suspension,
    send_receipt,
    send_reminder,
)
from collection.services.times import time_of

_OWED = ("finalized", "uncollectible")


def open_collections(*, policy: CollectionPolicy, invoices: Sequence[Invoice], now: datetime) -> int:
    """Begin to collect invoices (of one organization, with something due), and write down the charges that are due at
    once; in the caller's transaction. Answers how many were new. Those whom the provider invoices are left alone."""
    terms, providers = terms_of(policy), providers_of(policy)
    paying = paying_customers(one.customer for one in invoices)
    rows, charges = [], []
    for invoice in invoices:
        payer = paying[invoice.customer_id]
        if payer.is_invoiced_at_stripe or invoice.status not in _OWED or invoice.amount_due <= 0:
            continue
        row = InvoiceCollection(
            invoice=invoice,
            organization_id=invoice.organization_id,
            customer_id=invoice.customer_id,
            opened_at=now,
        )
        try:
            charge = new_charge(invoice=invoice, paying=payer, provider=providers.of(payer), now=now)
        except AmountNotChargeable as error:
            row.last_error, charge = error.code, None
        if charge and policy.charge_at == ChargeAt.DUE and invoice.due_at and invoice.due_at > now:
            row.next_charge_at, charge = invoice.due_at, None
        if charge:
            charges.append(charge)
        rows.append(_stepped(row, terms, now))
    made = InvoiceCollection.objects.bulk_create(rows, ignore_conflicts=True)
    ProviderCall.objects.bulk_create(charges, ignore_conflicts=True)
    return len(made)


def run_due_steps(*, now: datetime, organization_id: int | None = None, limit: int = 1000) -> int:
    """Do what is due about the invoices of customers who live by the machine's clock; answers how many were seen to."""
    due = InvoiceCollection.objects.filter(closed_at=None, next_step_at__lte=now, customer__test_clock=None)
    if organization_id is not None:
        due = due.filter(organization_id=organization_id)
    ids = list(due.order_by("next_step_at", "pk").values_list("pk", flat=True)[:limit])
    for pk in ids:
        take_steps(invoice_id=pk, now=now)
    return len(ids)


def take_steps(*, invoice_id: str, now: datetime) -> InvoiceCollection:
    """Do what is due about one invoice by `now`, its customer's time."""
    with transaction.atomic():
        invoice = lock_invoice(Invoice(pk=invoice_id))
        collection = _locked(invoice)
        policy = policy_of(collection.organization_id)
        if collection.closed_at or not policy.is_active:
            InvoiceCollection.objects.filter(pk=invoice_id).update(next_step_at=None)
            return collection
        terms = terms_of(policy)
        for step in dunning.steps_due(_standing(collection, invoice), terms, now):
            _take(step, collection, policy, now)
        _stepped(collection, terms, now).save()
        if collection.given_up_at and policy.writes_off and invoice.status == "finalized":
            write_off_invoice(invoice=invoice, now=now, actor="collection")
        return collection


def _take(step: Step, collection: InvoiceCollection, policy: CollectionPolicy, now: datetime) -> None:
    invoice = collection.invoice
    if step.kind == StepKind.REMIND:
        collection.reminded_day = step.day
        if not _is_being_charged(invoice):
            send_reminder(invoice, step.day or 0, now)
    elif step.kind == StepKind.CHARGE:
        collection.next_charge_at = None
        _order(collection, policy, now)
    elif step.kind == StepKind.NOTE_OVERDUE:
        collection.overdue_at = now
        announce_overdue(invoice, now)
    elif step.kind == StepKind.SUSPEND:
        was_suspended = is_suspended(invoice.customer)
        collection.suspended_at = now
        if not was_suspended:
            announce_suspension(invoice.customer, now, is_suspended=True)
    elif step.kind == StepKind.GIVE_UP:
        collection.given_up_at = now


def _order(collection: InvoiceCollection, policy: CollectionPolicy, now: datetime) -> ProviderCall | None:
    invoice = collection.invoice
    paying = paying_customer(invoice.customer)
    try:
        return order_charge(invoice=invoice, paying=paying, provider=providers_of(policy).of(paying), now=now)
    except AmountNotChargeable as error:
        collection.last_error = error.code
        return None


def charge_now(*, invoice: Invoice, now: datetime) -> ProviderCall | None:
    """Have an invoice charged because a person says so, whatever its schedule; None where nobody can be charged.

    Raises `AmountNotChargeable`. `now` is the machine's time.
    """
    with transaction.atomic():
        locked = lock_invoice(invoice)
        if locked.status not in _OWED or locked.amount_due <= 0:
            return None
        policy, paying = policy_of(locked.organization_id), paying_customer(locked.customer)
        return order_charge(invoice=locked, paying=paying, provider=providers_of(policy).of(paying), now=now)


def charge_anew(*, invoice: Invoice, now: datetime) -> None:
    """After a charge that never was: one over what is due now, if it still is and nobody put an end to it."""
    collection = InvoiceCollection.objects.filter(pk=invoice.pk, closed_at=None, is_automatic=True).first()
    if collection is not None and invoice.amount_due > 0 and invoice.status in _OWED:
        collection.invoice = invoice
        _order(collection, policy_of(invoice.organization_id), now)


def note_failed_charge(*, call: ProviderCall, invoice: Invoice, now: datetime) -> None:
    """A charge was refused: plan the next, tell the customer. The invoice's row is locked."""
    collection = _locked(invoice, default=True)
    if collection.closed_at:
        return
    terms, at = terms_of(policy_of(invoice.organization_id)), time_of(invoice.customer, now)
    collection.failed_charges += 1
    collection.last_failed_at, collection.last_error = at, call.error_code
    collection.next_charge_at = (
        dunning.next_retry_at(collection.failed_charges, at, call.error_code, terms)
        if collection.is_automatic
        else None
    )
    _stepped(collection, terms, at).save()
    announce_failed_charge(call, collection, at)


def note_settled(*, invoice: Invoice, at: datetime) -> None:
    """What is due of a locked invoice, or its status, has changed: stop collecting, or begin again without charging."""
    collection = InvoiceCollection.objects.select_for_update().filter(pk=invoice.pk).first()
    if collection is None:
        return
    collection.invoice = invoice
    is_owed = invoice.status in _OWED and invoice.amount_due > 0
    if not is_owed and collection.closed_at is None:
        _close(collection, at)
    elif is_owed and collection.closed_at is not None:
        # Money went back. To take it again without being asked would be no way to treat a customer.
        collection.closed_at, collection.is_automatic, collection.next_charge_at = None, False, None
        _stepped(collection, terms_of(policy_of(invoice.organization_id)), at).save()


def _close(collection: InvoiceCollection, at: datetime) -> None:
    invoice, was_suspended = collection.invoice, is_suspended(collection.invoice.customer)
    collection.closed_at, collection.next_step_at, collection.next_charge_at = at, None, None
    collection.state, collection.suspended_at, collection.given_up_at = DunningState.CURRENT, None, None
    collection.save()
    if was_suspended and not is_suspended(invoice.customer):
        announce_suspension(invoice.customer, at, is_suspended=False)
    if invoice.status == "paid":
        send_receipt(invoice, at)


def reinstate_customer(*, customer: Customer, now: datetime) -> int:
    """Lift the suspension of a customer who has not paid; answers how many invoices had caused it. They will not
    suspend it again."""
    with transaction.atomic():
        rows = InvoiceCollection.objects.select_for_update().filter(
            customer=customer, closed_at=None, suspended_at__isnull=False, reinstated_at=None
        )
        found = list(rows.select_related(None).order_by("pk"))
        for row in found:
            row.reinstated_at = now
            _stepped(row, terms_of(policy_of(customer.organization_id)), now).save()
        if found:
            announce_suspension(customer, now, is_suspended=False)
            record_audit(
                organization_id=customer.organization_id,
                action="customer.reinstate",
                target=customer.pk,
                invoices=len(found),
            )
    return len(found)


def plan_charges(*, customers: Iterable[Customer], now: datetime, besides: Collection[str] = ()) -> int:
    """A customer can be charged now: charge its open invoices (`besides` these ids) that are charged by themselves and
    wait for nothing else. Answers how many. `now` is the machine's time."""
    rows = InvoiceCollection.objects.filter(customer__in=list(customers), closed_at=None, is_automatic=True)
    rows = rows.exclude(pk__in=list(besides))
    planned = 0
    for row in rows.select_related("invoice", "customer__test_clock").order_by("pk"):
        with transaction.atomic():
            locked = _locked(lock_invoice(row.invoice))
            if locked.closed_at or _is_being_charged(row.invoice):
                continue
            at = time_of(row.customer, now)
            policy = policy_of(row.organization_id)
            waits = policy.charge_at == ChargeAt.DUE and row.invoice.due_at and row.invoice.due_at > at
            locked.next_charge_at = row.invoice.due_at if waits else at
            _stepped(locked, terms_of(policy), at).save()
            planned += 1
    return planned


def _is_being_charged(invoice: Invoice) -> bool:
    return ProviderCall.objects.filter(invoice=invoice, kind=CallKind.CHARGE, state__in=HELD).exists()


def _locked(invoice: Invoice, *, default: bool = False) -> InvoiceCollection:
    rows = InvoiceCollection.objects.select_for_update(of=("self",))
    if default:
        fields = {"organization_id": invoice.organization_id, "customer_id": invoice.customer_id}
        rows.get_or_create(invoice=invoice, defaults=fields | {"opened_at": invoice.finalized_at})
    found = rows.get(pk=invoice.pk)
    found.invoice = invoice
    return found


def _standing(collection: InvoiceCollection, invoice: Invoice) -> Standing:
    assert invoice.due_at is not None, "only finalized invoices are collected"
    return Standing(
        due_at=invoice.due_at,
        failed_charges=collection.failed_charges,
        next_charge_at=collection.next_charge_at,
        reminded_day=collection.reminded_day,
        overdue_at=collection.overdue_at,
        suspended_at=collection.suspended_at,
        reinstated_at=collection.reinstated_at,
        given_up_at=collection.given_up_at,
    )


def _stepped(collection: InvoiceCollection, terms: Terms, now: datetime) -> InvoiceCollection:
    """With its state, and when it is to be looked at next."""
    standing = _standing(collection, collection.invoice)
    collection.state = DunningState(dunning.state_of(standing, now))
    collection.next_step_at = dunning.next_step_at(standing, terms)
    return collection


def restep_open(*, organization_id: int, terms: Terms) -> None:
    """Look at the schedules of all that is open anew, since the terms have changed; in the caller's transaction."""
    rows = InvoiceCollection.objects.select_related("invoice").filter(organization_id=organization_id, closed_at=None)
    # Locked in the order of their ids: a step that is being taken holds the invoice first, and then its own row.
    some: list[InvoiceCollection] = []
    for row in rows.select_for_update(of=("self",)).order_by("pk").iterator(chunk_size=1000):
        row.next_step_at = dunning.next_step_at(_standing(row, row.invoice), terms)
        some.append(row)
        if len(some) == 1000:
            InvoiceCollection.objects.bulk_update(some, ["next_step_at"])
            some = []
    InvoiceCollection.objects.bulk_update(some, ["next_step_at"])
