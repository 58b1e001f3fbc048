"""Usage that came, or was taken back, after its period was invoiced."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from decimal import Decimal

from django.db.models import F, OuterRef, Q, QuerySet, Subquery, Sum

from billing.invoicing.bills import Bill
from billing.invoicing.models import InvoiceKind, InvoiceStatus, LateUsageResolution, LineRole
from billing.models import Invoice, InvoiceLine, LateUsage
from billing.payments.models import CreditNoteKind

#: Invoices whose usage is looked after: not drafts, which are priced anew, nor void ones, which bill nothing.
SETTLED = (InvoiceStatus.FINALIZED, InvoiceStatus.PAID, InvoiceStatus.UNCOLLECTIBLE, InvoiceStatus.SKIPPED)


class OpenLateUsage:
    """Late usage that waits for its customer's next invoice. Each is taken once: by the first of the bills that can."""

    def __init__(self, bills: Iterable[Bill]) -> None:
        self._waiting: dict[tuple[str, str], list[LateUsage]] = defaultdict(list)
        for one in open_late_usage({bill.subscription.customer_id for bill in bills}):
            self._waiting[one.line.invoice.customer_id, one.line.invoice.currency].append(one)

    def take(self, bill: Bill) -> list[LateUsage]:
        """What the bill's invoice is to charge or give back of it."""
        if bill.kind != InvoiceKind.CYCLE or bill.only_settles:
            return []
        customer = bill.subscription.customer
        return self._waiting.pop((customer.pk, customer.currency), [])


def open_late_usage(customers: Iterable[str]) -> list[LateUsage]:
    """The late usage of customers (their ids) that no invoice has charged or given back, in the order it was found.
    That of an invoice which is void is left out. `credited` is what credit notes took off its line, `corrected` what
    those did that are corrections, and `counted` what of these earlier adjustments of the line have counted."""
    rows = LateUsage.objects.filter(line__invoice__customer__in=customers, resolution=LateUsageResolution.OPEN)
    rows = rows.exclude(amount=0).exclude(line__invoice__status=InvoiceStatus.VOID)
    corrections = Q(line__credited_by__credit_note__kind=CreditNoteKind.CORRECTION)
    rows = rows.annotate(
        credited=Sum("line__credited_by__amount"),
        corrected=Sum("line__credited_by__amount", filter=corrections),
        counted=Subquery(
            LateUsage.objects.filter(
                line=OuterRef("line"),
                resolution=LateUsageResolution.ADJUSTED,
                adjustment__amount__gt=F("amount"),
            )
            .order_by()
            .values("line")
            .annotate(counted=Sum(F("adjustment__amount") - F("amount")))
            .values("counted")
        ),
    )
    return list(rows.select_related("line__invoice", "line__price__plan_version").order_by("id"))


def late_usage_of(organization_id: int) -> QuerySet[LateUsage]:
    """All late usage that was found, the latest first, with the lines it is about."""
    return LateUsage.objects.filter(organization_id=organization_id).select_related(
        "line__invoice__customer", "line__price", "adjustment__invoice"
    )


def adjusted_back(invoice: Invoice) -> dict[str, Decimal]:
    """By line of an invoice: what adjustments on later invoices gave back of it, net of discounts."""
    rows = InvoiceLine.objects.filter(adjusts__invoice=invoice, role=LineRole.ADJUSTMENT)
    rows = rows.exclude(invoice__status__in=[InvoiceStatus.VOID, InvoiceStatus.DRAFT])
    sums = rows.order_by().values_list("adjusts_id").annotate(net=Sum(F("amount") - F("discount")))
    return {line: -net for line, net in sums if net < 0}


def billed_before(lines: Iterable[str]) -> dict[str, tuple[Decimal, Decimal]]:
    """By line: the quantity and amount of late usage that was adjusted or written off already."""
    found: dict[str, tuple[Decimal, Decimal]] = defaultdict(lambda: (Decimal(0), Decimal(0)))
    waiting = (LateUsageResolution.OPEN, LateUsageResolution.UNPRICEABLE)
    rows = LateUsage.objects.filter(line__in=list(lines)).exclude(resolution__in=waiting)
    for line, quantity, amount in rows.values_list("line_id", "quantity", "amount"):
        before = found[line]
        found[line] = before[0] + quantity, before[1] + amount
    return found


def unpriceable_late_usage(organization_id: int) -> QuerySet[LateUsage]:
    """Late usage that the terms of its line do not price: nothing charges it until it is voided or amended."""
    rows = late_usage_of(organization_id).filter(resolution=LateUsageResolution.UNPRICEABLE)
    return rows.exclude(line__invoice__status=InvoiceStatus.VOID).order_by("id")
