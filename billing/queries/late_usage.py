"""Usage that came, or was taken back, after its period was invoiced."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from decimal import Decimal

from django.db.models import QuerySet, Sum

from billing.models import LateUsage
from billing.models.invoices import InvoiceKind, InvoiceStatus
from billing.models.late import LateUsageResolution
from billing.queries.bills import Bill

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
        if bill.kind != InvoiceKind.CYCLE:
            return []
        customer = bill.subscription.customer
        return self._waiting.pop((customer.pk, customer.currency), [])


def open_late_usage(customers: Iterable[str]) -> list[LateUsage]:
    """The late usage of customers (their ids) that no invoice has charged or given back, in the order it was found.
    That of an invoice which is void is nobody's any more. `credited` is what credit notes took off its line."""
    rows = LateUsage.objects.filter(line__invoice__customer__in=customers, resolution=LateUsageResolution.OPEN)
    rows = rows.exclude(amount=0).exclude(line__invoice__status=InvoiceStatus.VOID)
    rows = rows.annotate(credited=Sum("line__credited_by__amount"))
    return list(rows.select_related("line__invoice", "line__price__plan_version").order_by("id"))


def late_usage_of(organization_id: int) -> QuerySet[LateUsage]:
    """All late usage that was found, the latest first, with the lines it is about."""
    return LateUsage.objects.filter(organization_id=organization_id).select_related(
        "line__invoice__customer", "line__price", "adjustment__invoice"
    )


def billed_before(lines: Iterable[str]) -> dict[str, tuple[Decimal, Decimal]]:
    """By line: the quantity and amount of late usage that was adjusted or written off already."""
    found: dict[str, tuple[Decimal, Decimal]] = defaultdict(lambda: (Decimal(0), Decimal(0)))
    rows = LateUsage.objects.filter(line__in=list(lines)).exclude(resolution=LateUsageResolution.OPEN)
    for line, quantity, amount in rows.values_list("line_id", "quantity", "amount"):
        before = found[line]
        found[line] = before[0] + quantity, before[1] + amount
    return found
