"""Drafts: reviewed and priced anew while their grace period lasts, finalized when it is over."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from functools import partial

from django.db import transaction

from accounts.facade import record_audit
from billing.invoicing.bills import Bill, bill_of
from billing.invoicing.issuing import (
    InvoiceStateConflict,
    discard_contents,
    finalize_drafts,
    leave_empty,
    replace_drafts,
)
from billing.invoicing.models import NUMBERING_ORDER, InvoiceStatus
from billing.invoicing.priced import PricedInvoice, Unpriceable
from billing.invoicing.pricing import price_bills
from billing.models import Invoice
from billing.subscriptions.queries import subscriptions_of
from rest.isolation import read_one_snapshot, retried

#: Drafts priced anew and finalized in one transaction.
_BATCH = 200


def refresh_draft(*, invoice: Invoice, now: datetime) -> Invoice:
    """Price a draft anew, by all that is known now. Raises `InvoiceStateConflict` for what is no draft, and what keeps
    its bill from being priced; it then stays as it was."""

    def work() -> Invoice:
        with transaction.atomic():
            read_one_snapshot()
            return _refreshed([_locked_draft(invoice)], now)[0]

    return retried(work)


def finalize_invoice(*, invoice: Invoice, now: datetime, actor: str = "system") -> Invoice:
    """Price a draft anew and finalize it, whatever is left of its grace period. Raises as `refresh_draft`."""

    def work() -> Invoice:
        with transaction.atomic():
            read_one_snapshot()
            found = _refreshed([_locked_draft(invoice)], now)
            finalize_drafts(organization_id=invoice.organization_id, invoices=found, now=now)
            record_audit(
                organization_id=invoice.organization_id, actor=actor, action="invoice.finalize", target=invoice.pk
            )
            return found[0]

    return retried(work)


def finalize_due_drafts(*, organization_id: int, now: datetime) -> int:
    """Price anew and finalize every draft whose grace period is over, in their order; answers how many.

    A draft whose bill cannot be priced any more stays one, and holds up no other.
    """
    due = Invoice.objects.filter(
        organization_id=organization_id, status=InvoiceStatus.DRAFT, finalize_at__lte=now, customer__test_clock=None
    ).exclude(billing_run__status__in=["queued", "running"])
    ids = list(due.order_by(*NUMBERING_ORDER).values_list("pk", flat=True))
    batches = [ids[start : start + _BATCH] for start in range(0, len(ids), _BATCH)]
    return sum(retried(partial(_finalize, organization_id, some, now)) for some in batches)


def _finalize(organization_id: int, ids: Sequence[str], now: datetime) -> int:
    with transaction.atomic():
        read_one_snapshot()
        drafts = Invoice.objects.select_for_update(of=("self",)).filter(pk__in=ids, status=InvoiceStatus.DRAFT)
        found = _refreshed(list(drafts.order_by(*NUMBERING_ORDER)), now, skips=True)
        finalize_drafts(organization_id=organization_id, invoices=found, now=now)
        return len(found)


def _locked_draft(invoice: Invoice) -> Invoice:
    locked = Invoice.objects.select_for_update(of=("self",)).get(pk=invoice.pk)
    if locked.status != InvoiceStatus.DRAFT:
        raise InvoiceStateConflict(f"This invoice is {locked.status}: only a draft can be changed or finalized")
    return locked


def _refreshed(drafts: Sequence[Invoice], now: datetime, *, skips: bool = False) -> list[Invoice]:
    """Drafts of one organization, with the contents they have now: none where their period is no longer billed, as of a
    subscription that ended before it began. With `skips`, those that cannot be priced stay as they were and are left
    out; else the first reason is raised."""
    if not drafts:
        return []
    rows = subscriptions_of(drafts[0].organization_id).filter(pk__in={draft.subscription_id for draft in drafts})
    subscriptions = {one.pk: one for one in rows}
    bills = [(draft, bill_of(draft, subscriptions[draft.subscription_id or ""])) for draft in drafts]
    pairs = [(draft, bill) for draft, bill in bills if bill is not None]
    try:
        with transaction.atomic():
            # What they have used up (late usage, credits) is theirs to use again.
            discard_contents(invoices=drafts, now=now)
            leave_empty(invoices=[draft for draft, bill in bills if bill is None])
            priced = _priced([bill for _, bill in pairs])
            replace_drafts(invoices=[draft for draft, _ in pairs], priced=priced, now=now)
    except _Unpriceables as error:
        if not skips:
            raise error.failed[0].error from None
        failed = {one.subscription.pk for one in error.failed}
        return _refreshed([draft for draft in drafts if draft.subscription_id not in failed], now, skips=True)
    return list(drafts)


class _Unpriceables(Exception):
    def __init__(self, failed: Sequence[Unpriceable]) -> None:
        self.failed = failed


def _priced(bills: Sequence[Bill]) -> list[PricedInvoice]:
    answers = price_bills(bills)
    if failed := [answer for answer in answers if isinstance(answer, Unpriceable)]:
        raise _Unpriceables(failed)
    return [answer for answer in answers if isinstance(answer, PricedInvoice)]
