"""Invoices in a list, with what they sum to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any
from urllib.parse import urlencode

from django.db.models import Count, Q, QuerySet, Sum
from django.db.models.functions import Coalesce

from billing.facade import Invoice
from console.queries.pages import Page, page_of
from console.reader import number_typed
from kernel.errors import InvalidError
from kernel.money import decimal_from
from kernel.period import Month

#: Drafts have no number and are told apart by their id.
_PLACE = Coalesce("number", "id")

#: An invoice is overdue that is open past its day; every other one is a status that is stored.
STATUSES = ("draft", "finalized", "overdue", "paid", "uncollectible", "void", "skipped")

#: Something is owed on them.
_OPEN = ("finalized", "uncollectible")

_MOST_LETTERS = 200


@dataclass(frozen=True, slots=True)
class CurrencyTotal:
    """Sums over all invoices that the filters leave, voided ones and drafts not counted."""

    currency: str
    count: int
    total: Decimal
    due: Decimal


@dataclass(frozen=True, slots=True)
class InvoiceFilter:
    """`customer` is a key; `search` is looked for in customers' names and keys, and is a whole number of an invoice.
    `least` and `most` bound the total. What is overdue is so at `now`."""

    now: datetime
    month: Month | None = None
    status: str | None = None
    customer: str | None = None
    search: str = ""
    least: Decimal | None = None
    most: Decimal | None = None

    def rows(self, organization_id: int) -> QuerySet[Invoice]:
        rows = Invoice.objects.filter(organization_id=organization_id)
        if self.month:
            rows = rows.filter(month=str(self.month))
        if self.status == "overdue":
            rows = rows.filter(status="finalized", due_at__lt=self.now)
        elif self.status:
            rows = rows.filter(status=self.status)
        if self.customer:
            rows = rows.filter(customer__key=self.customer)
        if self.search:
            of_customer = Q(customer__name__icontains=self.search) | Q(customer__key__icontains=self.search)
            rows = rows.filter(of_customer | Q(number__iexact=self.search))
        bounds = {"total__gte": self.least, "total__lte": self.most}
        return rows.filter(**{name: value for name, value in bounds.items() if value is not None})

    @property
    def fields(self) -> dict[str, str]:
        """What of the address says the filters."""
        given: dict[str, object] = {
            "month": self.month,
            "status": self.status,
            "customer": self.customer,
            "q": self.search,
        }
        given |= {"least": self.least, "most": self.most}
        return {name: str(value) for name, value in given.items() if value not in (None, "")}

    @property
    def query(self) -> str:
        return urlencode(self.fields)


def read_filter(asked: Mapping[str, str], *, now: datetime) -> InvoiceFilter:
    """The filters in an address; `InvalidError` for what makes no sense."""
    status = asked.get("status") or None
    if status and status not in STATUSES:
        raise InvalidError(f"status is one of {', '.join(STATUSES)}", code="status_invalid")
    month = asked.get("month")
    return InvoiceFilter(
        now=now,
        month=read_month(month) if month else None,
        status=status,
        customer=asked.get("customer") or None,
        search=asked.get("q", "").strip()[:_MOST_LETTERS],
        least=_amount(asked, "least"),
        most=_amount(asked, "most"),
    )


def read_month(text: str) -> Month:
    """A month such as 2026-10; `InvalidError` otherwise."""
    try:
        return Month.parse(text)
    except ValueError as error:
        raise InvalidError(str(error), code="month_invalid") from None


def _amount(asked: Mapping[str, str], name: str) -> Decimal | None:
    text = asked.get(name, "").strip()
    if not text:
        return None
    try:
        amount = decimal_from(number_typed(text))
    except (TypeError, ValueError):
        amount = None
    if amount is None or abs(amount) > Decimal(10) ** 18:
        raise InvalidError("An amount is a number, such as 12.34", code=f"{name}_invalid")
    return amount


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


def is_overdue(invoice: Invoice, now: datetime) -> bool:
    """Whether its day has passed and something is still due."""
    return invoice.status in _OPEN and invoice.due_at is not None and invoice.due_at < now


@dataclass(frozen=True, slots=True)
class StandingTotal:
    """Invoices that wait for something, in one currency: `amount` is the total of drafts, else what is due."""

    status: str
    currency: str
    count: int
    amount: Decimal


def standing_invoices(
    *, organization_id: int, now: datetime, customer: str | None = None, plan: str | None = None
) -> list[StandingTotal]:
    """Drafts, open invoices and, among these, those that are overdue: one of each currency, and at least one of each.

    One query.
    """
    rows = Invoice.objects.filter(organization_id=organization_id, status__in=("draft", "finalized"))
    if customer:
        rows = rows.filter(customer__key=customer)
    if plan:
        rows = rows.filter(subscription__plan_version__plan__key=plan)
    kinds = {
        "draft": (Q(status="draft"), "total"),
        "finalized": (Q(status="finalized", amount_due__gt=0), "amount_due"),
        "overdue": (Q(status="finalized", amount_due__gt=0, due_at__lt=now), "amount_due"),
    }
    counts = {f"{name}_count": Count("currency", filter=kind) for name, (kind, _) in kinds.items()}
    sums = {f"{name}_sum": Sum(of, filter=kind) for name, (kind, of) in kinds.items()}
    found: list[Any] = list(rows.order_by("currency").values("currency").annotate(**counts, **sums))
    totals = []
    for name in kinds:
        some = [
            StandingTotal(name, row["currency"], row[f"{name}_count"], row[f"{name}_sum"])
            for row in found
            if row[f"{name}_count"]
        ]
        totals += some or [StandingTotal(name, "", 0, Decimal(0))]
    return totals
