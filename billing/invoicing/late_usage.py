"""Finding usage that came, or was taken back, after its period was invoiced, and saying what it changes."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, time, timedelta
from decimal import Decimal
from functools import partial

from django.db import transaction
from django.db.models import Max

from billing.credits.queries import HandBill
from billing.credits.wallets import Wallets
from billing.customers.models import LateUsagePolicy
from billing.customers.queries import policy_of
from billing.invoicing.issuing import issue_invoices
from billing.invoicing.late_changes import Change, unbilled_changes
from billing.invoicing.late_records import SETTLED, open_late_usage
from billing.invoicing.models import InvoiceKind, LateUsageResolution
from billing.invoicing.pricing import adjustment_line, current_snapshot
from billing.invoicing.reductions import with_tax_and_credit
from billing.models import Customer, Invoice, InvoiceLine, LateUsage, LateUsageMark, Subscription, TestClock
from kernel.period import Period
from metering.facade import ChangedDay, changed_periods
from rest.isolation import read_one_snapshot, retried

#: Invoices priced anew at once.
_BATCH = 200

#: The day a subscription ends counts, in whatever zone.
_LAST_DAY = timedelta(days=2)


def find_late_usage(*, organization_id: int, now: datetime) -> int:
    """Look through what the log says since the last look, and keep what it changes about invoiced lines.

    Each difference waits for the customer's next invoice, or is written off at once where that is the
    organization's policy. Answers how many lines have a difference that is new or other than before.
    """
    with transaction.atomic():
        until = current_snapshot()
        mark, is_new = LateUsageMark.objects.select_for_update().get_or_create(
            organization_id=organization_id, defaults={"log_snapshot": until}
        )
        invoiced = Invoice.objects.filter(organization_id=organization_id, kind=InvoiceKind.CYCLE, status__in=SETTLED)
        last = invoiced.aggregate(last=Max("period_end"))["last"]
        if last is None:
            return 0
        since = invoiced.earliest("created_at").log_snapshot if is_new else mark.log_snapshot
        changed = changed_periods(organization_id=organization_id, since=since, until=until, before=last)
        touched = _invoices_of(organization_id, changed)
        found = 0
        for start in range(0, len(touched), _BATCH):
            found += _keep(organization_id, touched[start : start + _BATCH], now)
        mark.log_snapshot = until
        mark.save(update_fields=["log_snapshot"])
    return found


def _invoices_of(organization_id: int, changed: Iterable[ChangedDay]) -> list[str]:
    """Ids of the invoices with a usage line over one of the changed days."""
    days: dict[str, list[datetime]] = defaultdict(list)
    for one in changed:
        days[one.subject].append(datetime.combine(one.day, time.min, UTC))
    if not days:
        return []
    every = [day for of_one in days.values() for day in of_one]
    lines = InvoiceLine.objects.filter(
        invoice__organization_id=organization_id,
        invoice__kind=InvoiceKind.CYCLE,
        invoice__status__in=SETTLED,
        meter_version__isnull=False,
        period_end__gt=min(every),
        period_start__lt=max(every) + timedelta(days=1),
    ).values_list("invoice_id", "invoice__customer__key", "period_start", "period_end")
    found = {
        invoice
        for invoice, customer, start, end in lines.iterator(chunk_size=5000)
        if any(day < end and start < day + timedelta(days=1) for day in days.get(customer, ()))
    }
    return sorted(found)


def _keep(organization_id: int, ids: Sequence[str], now: datetime) -> int:
    invoices = list(Invoice.objects.filter(pk__in=ids).prefetch_related("lines__price", "lines__meter_version__meter"))
    writes_off = policy_of(organization_id).late_usage == LateUsagePolicy.WRITE_OFF
    fresh = 0
    changes = unbilled_changes(organization_id, invoices)
    fresh += _keep_unpriced(organization_id, invoices, [one for one in changes if one.problem], now)
    for change in changes:
        if change.problem:
            continue
        waiting = LateUsage.objects.filter(line=change.line, resolution=LateUsageResolution.OPEN).first()
        if waiting is not None and (waiting.quantity, waiting.amount) == (change.quantity, change.amount):
            continue
        if waiting is None and not (change.quantity or change.amount):
            continue
        late = waiting or LateUsage(organization_id=organization_id, line=change.line, found_at=now)
        late.quantity, late.amount = change.quantity, change.amount
        if writes_off or not change.amount:
            late.resolution, late.resolved_at = LateUsageResolution.WRITTEN_OFF, now
        late.save()
        fresh += 1
    return fresh


def _keep_unpriced(organization_id: int, invoices: Sequence[Invoice], unpriced: Sequence[Change], now: datetime) -> int:
    """Name what has no price, a row for each line, and forget what has been voided or amended since."""
    named: dict[str, tuple[Decimal, str]] = {}
    for one in unpriced:
        before, _ = named.get(one.line.pk, (Decimal(0), ""))
        named[one.line.pk] = before + one.quantity, one.problem
    unpriceable = LateUsage.objects.filter(line__invoice__in=invoices, resolution=LateUsageResolution.UNPRICEABLE)
    unpriceable.exclude(line__in=named).delete()
    kept = {one.line_id: one for one in unpriceable}
    fresh = 0
    for line, (quantity, problem) in named.items():
        late = kept.get(line)
        if late is not None and (late.quantity, late.problem) == (quantity, problem):
            continue
        late = late or LateUsage(organization_id=organization_id, line_id=line, found_at=now)
        late.quantity, late.problem, late.resolution = quantity, problem, LateUsageResolution.UNPRICEABLE
        late.save()
        fresh += 1
    return fresh


def invoice_left_late_usage(
    *, organization_id: int, now: datetime, test_clock: TestClock | None = None
) -> list[Invoice]:
    """Invoice, or give back, the open late usage of customers who have no subscription any more, and so no next
    invoice: one each, of adjustments alone. Those of customers on `test_clock`, or on none."""
    waiting = LateUsage.objects.filter(
        organization_id=organization_id,
        resolution=LateUsageResolution.OPEN,
        line__invoice__customer__test_clock=test_clock,
    ).exclude(amount=0)
    running = Subscription.objects.filter(organization_id=organization_id).exclude(ends_at__lt=now - _LAST_DAY)
    left = waiting.exclude(line__invoice__customer__in=running.values("customer"))
    customers = Customer.objects.filter(pk__in=left.values("line__invoice__customer")).order_by("pk")
    return [invoice for one in customers for invoice in retried(partial(_invoice_left, one, now))]


def _invoice_left(customer: Customer, now: datetime) -> list[Invoice]:
    with transaction.atomic():
        read_one_snapshot()
        lines = [adjustment_line(one) for one in open_late_usage([customer.pk])]
        if not lines:
            return []
        period = Period(min(line.period.start for line in lines), max(line.period.end for line in lines))
        wallets = Wallets.load(customers=[customer.pk], at=now)
        rounding = policy_of(customer.organization_id).tax_rounding
        priced = with_tax_and_credit(HandBill(customer, period, now), lines, (), wallets, rounding)
        return issue_invoices(organization_id=customer.organization_id, priced=[priced], run=None, now=now)
