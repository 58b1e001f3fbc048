"""Invoices issued by themselves, each when it falls due, for organizations that want it so."""

from __future__ import annotations

from datetime import datetime, timedelta
from functools import partial
from itertools import islice
from zoneinfo import ZoneInfo

from django.db import transaction

from billing.customers.models import IssuePolicy
from billing.fields import RunStatus
from billing.invoicing.bills import Bill, bills_in_month, without_invoice
from billing.invoicing.issuing import finalize_drafts, store_drafts
from billing.invoicing.priced import PricedInvoice
from billing.invoicing.pricing import price_bills
from billing.models import BillingPolicy, BillingRun
from billing.subscriptions.queries import subscriptions_of
from kernel.period import Month
from rest.isolation import read_one_snapshot, retried

#: Subscriptions invoiced in one transaction.
_BATCH = 200

#: A day that has begun somewhere has begun everywhere within so long, and ends so much later.
_ANY_ZONE = timedelta(hours=14)
#: Longer ago than this, closing the month is what issues an invoice: it says what is missing and why.
_LOOKS_BACK = timedelta(days=31)


def organizations_to_invoice() -> list[int]:
    """Those whose invoices are issued when they fall due, and whose month nobody is closing at the moment."""
    closing = BillingRun.objects.filter(status__in=[RunStatus.QUEUED, RunStatus.RUNNING]).values("organization_id")
    wanted = BillingPolicy.objects.filter(issue=IssuePolicy.WHEN_DUE).exclude(organization_id__in=closing)
    return list(wanted.order_by("organization_id").values_list("organization_id", flat=True))


def issue_due(*, organization_id: int, now: datetime) -> int:
    """Issue each invoice of this month and the last that is due and does not exist; answers how many.

    What cannot be priced holds up no other, and is reported when the month is closed. Safe to run twice, at once,
    and to kill at any point.
    """
    made = 0
    ids = subscriptions_of(organization_id).filter(customer__test_clock=None, starts_at__lte=now + _ANY_ZONE)
    waiting = iter(list(ids.exclude(ends_at__lt=now - 2 * _LOOKS_BACK).values_list("pk", flat=True)))
    while some := list(islice(waiting, _BATCH)):
        made += retried(partial(_issue, organization_id, some, now))
    return made


def _issue(organization_id: int, ids: list[str], now: datetime) -> int:
    with transaction.atomic():
        read_one_snapshot()
        due = _due(organization_id, ids, now)
        priced = [one for one in price_bills(due) if isinstance(one, PricedInvoice)] if due else []
        drafts = store_drafts(organization_id=organization_id, priced=priced, run=None, now=now)
        ready = [draft for draft in drafts if draft.finalize_at is not None and draft.finalize_at <= now]
        if ready:
            finalize_drafts(organization_id=organization_id, invoices=ready, now=now)
        return len(drafts)


def _due(organization_id: int, ids: list[str], now: datetime) -> list[Bill]:
    utc = ZoneInfo("UTC")
    months = {Month.of(moment, utc) for moment in (now - _LOOKS_BACK, now - _ANY_ZONE, now + _ANY_ZONE)}
    subscriptions = subscriptions_of(organization_id).filter(pk__in=ids)
    bills = [bill for one in subscriptions for month in sorted(months) for bill in bills_in_month(one, month)]
    found = without_invoice(bill for bill in bills if bill.due_at <= now)
    return sorted(found, key=lambda bill: (bill.due_at, bill.subscription.pk))
