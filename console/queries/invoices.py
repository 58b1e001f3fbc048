"""Invoices in a list, with what they sum to."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from django.db.models import Count, QuerySet, Sum
from django.db.models.functions import Coalesce

from billing.facade import Invoice
from console.queries.pages import Page, page_of
from kernel.period import Month

#: Drafts have no number and are told apart by their id.
_PLACE = Coalesce("number", "id")

STATUSES = ("draft", "finalized", "paid", "uncollectible", "void", "skipped")


@dataclass(frozen=True, slots=True)
class CurrencyTotal:
    """Sums over all invoices that the filters leave, voided ones and drafts not counted."""

    currency: str
    count: int
    total: Decimal
    due: Decimal


@dataclass(frozen=True, slots=True)
class InvoiceFilter:
    month: Month | None = None
    status: str | None = None
    customer: str | None = None

    def rows(self, organization_id: int) -> QuerySet[Invoice]:
        rows = Invoice.objects.filter(organization_id=organization_id)
        if self.month:
            rows = rows.filter(month=str(self.month))
        if self.status:
            rows = rows.filter(status=self.status)
        if self.customer:
            rows = rows.filter(customer__key=self.customer)
        return rows


def list_invoices(*, organization_id: int, filters: InvoiceFilter, cursor: str | None) -> Page:
    """The newest month first and in it the newest number, with customers and plans."""
    rows = filters.rows(organization_id).select_related("customer", "subscription__plan_version__plan")
    return page_of(rows.annotate(place=_PLACE), cursor, order=("month", "place"), newest_first=True)


def latest_invoices(*, organization_id: int, limit: int) -> list[Invoice]:
    rows = Invoice.objects.filter(organization_id=organization_id).select_related("customer")
    return list(rows.annotate(place=_PLACE).order_by("-month", "-place")[:limit])


def invoice_totals(*, organization_id: int, filters: InvoiceFilter) -> list[CurrencyTotal]:
    sums = (
        filters.rows(organization_id)
        .exclude(status__in=["draft", "void"])
        .order_by("currency")
        .values("currency")
        .annotate(count=Count("pk"), sum_total=Sum("total"), sum_due=Sum("amount_due"))
    )
    return [CurrencyTotal(row["currency"], row["count"], row["sum_total"], row["sum_due"]) for row in sums]


def invoiced_months(organization_id: int) -> list[str]:
    """The months that have invoices, newest first."""
    rows = Invoice.objects.filter(organization_id=organization_id).order_by("-month")
    return list(rows.values_list("month", flat=True).distinct())
