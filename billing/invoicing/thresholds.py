"""Invoices over open usage that has passed its plan's threshold before its period is over."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial

from django.db import transaction
from django.db.models import Q

from billing.invoicing.bills import Bill, open_bill
from billing.invoicing.issuing import issue_invoices
from billing.invoicing.models import InvoiceKind
from billing.invoicing.priced import PricedInvoice
from billing.invoicing.pricing import price_bills
from billing.models import Invoice, Subscription, TestClock
from billing.subscriptions.queries import subscriptions_of
from billing.subscriptions.timeline import version_at
from kernel.period import Month, Period
from rest.isolation import read_one_snapshot, retried


def invoice_thresholds(*, organization_id: int, now: datetime, test_clock: TestClock | None = None) -> list[Invoice]:
    """Invoice the open usage of every subscription whose usage prices come to its plan's threshold or more, beyond
    what such invoices have charged of the period already: those of customers on `test_clock`, or on none."""
    watched = subscriptions_of(organization_id).filter(
        Q(plan_version__invoice_threshold__isnull=False)
        | Q(plan_changes__plan_version__invoice_threshold__isnull=False),
        customer__test_clock=test_clock,
    )
    found = (retried(partial(_invoice, one, now)) for one in watched.distinct())
    return [invoice for invoice in found if invoice is not None]


def _invoice(subscription: Subscription, now: datetime) -> Invoice | None:
    with transaction.atomic():
        read_one_snapshot()
        threshold = version_at(subscription, now).invoice_threshold
        bill = open_bill(subscription, now)
        if threshold is None or bill is None:
            return None
        [priced] = price_bills([_so_far(bill, now)])
        if not isinstance(priced, PricedInvoice) or priced.subtotal < threshold:
            return None
        [invoice] = issue_invoices(organization_id=subscription.organization_id, priced=[priced], run=None, now=now)
        return invoice


def _so_far(bill: Bill, now: datetime) -> Bill:
    """The bill for the open period's usage until `now`, named after what no earlier such invoice covers."""
    last = (
        Invoice.objects.filter(
            subscription=bill.subscription, kind=InvoiceKind.THRESHOLD, period_start__gte=bill.in_force.start
        )
        .order_by("period_end")
        .last()
    )
    since = max(bill.in_force.start, last.period_end) if last else bill.in_force.start
    return replace(
        bill,
        kind=InvoiceKind.THRESHOLD,
        advance=None,
        in_force=Period(since, max(now, since + timedelta(microseconds=1))),
        due_at=now,
        month=Month.of(now, bill.regime.zone),
    )
