"""Charges made by hand, and the bills they end up on."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from django.db.models import QuerySet

from billing.domain.pricing import BreakdownRow
from billing.domain.pricing.exact import ZERO, multiply
from billing.domain.rating import RatedLine, Step
from billing.models import Customer, OneOffCharge
from billing.models.customers import TaxTreatment
from billing.models.invoices import InvoiceKind, LineRole
from billing.queries.priced import PricedLine
from kernel.money import round_to_currency
from kernel.period import Month, Period
from rest.lookup import find


@dataclass(frozen=True, slots=True)
class HandBill:
    """What an invoice that no billing period asks for is made for."""

    customer: Customer
    in_force: Period
    due_at: datetime
    kind: InvoiceKind = InvoiceKind.ONE_OFF
    subscription: None = None

    @property
    def currency(self) -> str:
        return self.customer.currency

    @property
    def month(self) -> Month:
        return Month.of(self.due_at, ZoneInfo(self.customer.timezone))


class WaitingCharges:
    """The charges of several customers that no invoice has yet. One that a bill has taken is gone for the next."""

    def __init__(self, rows: Iterable[OneOffCharge] = ()) -> None:
        self._rows: dict[tuple[str, str], list[OneOffCharge]] = defaultdict(list)
        for row in rows:
            self._rows[row.customer_id, row.currency].append(row)

    @classmethod
    def load(cls, *, customers: Iterable[str], at: datetime) -> WaitingCharges:
        """Those of `customers` (ids) made up to `at`; one query."""
        rows = OneOffCharge.objects.filter(customer__in=set(customers), line=None, created_at__lte=at)
        return cls(rows.select_related("customer").order_by("id"))

    def take(self, *, customer_id: str, currency: str, at: datetime) -> list[PricedLine]:
        """Lines for the charges that were made by the time a bill falls due, at `at`."""
        rows = self._rows.get((customer_id, currency))
        if not rows:
            return []
        self._rows[customer_id, currency] = [row for row in rows if row.created_at > at]
        return [charge_line(row) for row in rows if row.created_at <= at]


def charge_line(charge: OneOffCharge) -> PricedLine:
    """The line that a charge makes: no price says it, no coupon takes anything off it."""
    exact = multiply(charge.quantity, charge.unit_amount)
    amount = round_to_currency(exact, charge.currency)
    row = BreakdownRow(ZERO, charge.quantity, charge.quantity, charge.unit_amount, ZERO, exact)
    step = Step("rounding", charge.currency, exact, amount)
    rate = charge.customer.tax_rate if charge.tax_rate is None else charge.tax_rate
    return PricedLine(
        price=None,
        period=Period(charge.period_start, charge.period_end),
        rated=RatedLine(charge.quantity, exact, amount, charge.unit_amount, (row,), (step,)),
        description=charge.description,
        tax_rate=rate if charge.customer.tax_treatment == TaxTreatment.STANDARD else ZERO,
        role=LineRole.ONE_OFF,
        charge_id=charge.pk,
    )


def charges_of(organization_id: int) -> QuerySet[OneOffCharge]:
    """The organization's one-off charges with where they were billed."""
    return OneOffCharge.objects.filter(organization_id=organization_id).select_related("customer", "line__invoice")


def get_charge(*, organization_id: int, charge: str) -> OneOffCharge:
    """The one-off charge with this id; `NotFoundError` with code `charge_not_found`."""
    return find(charges_of(organization_id), charge, what="charge")
