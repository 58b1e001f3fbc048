"""Credit grants, balances and movements, one-off charges, and the open bills they may pay or join."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

from django.db.models import QuerySet, Sum

from billing.credits.wallets import as_drawn, is_of
from billing.customers.models import TaxTreatment
from billing.invoicing.bills import Bill, bills_in_month, without_invoice
from billing.invoicing.models import InvoiceKind, LineRole
from billing.invoicing.priced import PricedLine
from billing.models import CreditGrant, CreditMovement, Customer, OneOffCharge, Subscription
from billing.rating.draws import in_order
from billing.rating.pricing.exact import ZERO, multiply
from billing.rating.pricing.values import BreakdownRow
from billing.rating.rate import RatedLine, Step
from billing.subscriptions.queries import with_terms
from kernel.money import round_to_currency
from kernel.period import Month, Period
from rest.lookup import find


@dataclass(frozen=True, slots=True)
class Holding:
    """What a customer has of one thing: `available` now, `pending` what becomes effective later. `grants` are those
    with anything left that have not expired, in the order in which they are drawn."""

    grants: tuple[CreditGrant, ...]
    available: Decimal
    pending: Decimal


@dataclass(frozen=True, slots=True)
class StatementRow:
    """A movement, and what the customer had of its kind after it."""

    movement: CreditMovement
    balance: Decimal


def grants_of(organization_id: int) -> QuerySet[CreditGrant]:
    """The organization's credit grants with what they are of."""
    return CreditGrant.objects.filter(organization_id=organization_id).select_related(
        "customer__test_clock", "pricing_unit", "meter"
    )


def get_grant(*, organization_id: int, grant: str) -> CreditGrant:
    """The credit grant with this id; `NotFoundError` with code `credit_grant_not_found`."""
    return find(grants_of(organization_id), grant, what="credit_grant")


def holdings(*, customer: Customer, now: datetime) -> list[Holding]:
    """What the customer has, by what it is of."""
    rows = {row.pk: row for row in grants_of(customer.organization_id).filter(customer=customer, balance__gt=0)}
    alive = [row for row in rows.values() if row.expires_at is None or row.expires_at > now]
    by_kind: dict[str, list[CreditGrant]] = defaultdict(list)
    for drawn in in_order(as_drawn(row) for row in alive):
        by_kind[is_of(rows[drawn.id])].append(rows[drawn.id])
    return [
        Holding(
            grants=tuple(grants),
            available=sum((row.balance for row in grants if row.effective_at <= now), ZERO),
            pending=sum((row.balance for row in grants if row.effective_at > now), ZERO),
        )
        for _, grants in sorted(by_kind.items())
    ]


def movements_of(customer: Customer) -> QuerySet[CreditMovement]:
    """Every movement of the customer's grants with what it was for, oldest first."""
    return (
        CreditMovement.objects.filter(grant__customer=customer)
        .select_related("grant__pricing_unit", "grant__meter", "invoice", "line")
        .order_by("id")
    )


def with_balances(customer: Customer, movements: Sequence[CreditMovement]) -> list[StatementRow]:
    """Movements that follow each other in `movements_of`, each with the running balance of its kind; one query."""
    if not movements:
        return []
    before = CreditMovement.objects.filter(grant__customer=customer, pk__lt=movements[0].pk)
    of = ("grant__currency", "grant__pricing_unit_id", "grant__meter_id")
    sums = before.order_by().values_list(*of).annotate(sum=Sum("amount"))
    balances = {currency or unit or meter: amount for currency, unit, meter, amount in sums}
    rows = []
    for movement in movements:
        kind = is_of(movement.grant)
        balances[kind] = balances.get(kind, ZERO) + movement.amount
        rows.append(StatementRow(movement, balances[kind]))
    return rows


#: Zones are up to 14 hours from UTC, so a month of some zone touches at most its neighbours in UTC.
_A_DAY = timedelta(days=1)


def without_open_bills(grants: Sequence[CreditGrant]) -> list[CreditGrant]:
    """Those of `grants` (which have all run out) in whose time no bill fell due that has no invoice yet."""
    subscriptions: dict[str, list[Subscription]] = defaultdict(list)
    for one in with_terms(Subscription.objects.filter(customer__in={grant.customer_id for grant in grants})):
        subscriptions[one.customer_id].append(one)
    bills = {grant.pk: list(_bills(grant, subscriptions[grant.customer_id])) for grant in grants}
    still_open = {bill.key for bill in without_invoice(bill for found in bills.values() for bill in found)}
    return [grant for grant in grants if not any(bill.key in still_open for bill in bills[grant.pk])]


def _bills(grant: CreditGrant, subscriptions: Sequence[Subscription]) -> Iterator[Bill]:
    """The bills that fell due in the grant's time."""
    assert grant.expires_at is not None
    for month in _months(grant.effective_at - _A_DAY, grant.expires_at + _A_DAY):
        for subscription in subscriptions:
            for bill in bills_in_month(subscription, month):
                if grant.effective_at < bill.due_at <= grant.expires_at:
                    yield bill


def _months(first: datetime, last: datetime) -> Iterator[Month]:
    utc = ZoneInfo("UTC")
    month, end = Month.of(first, utc), Month.of(last, utc)
    while month <= end:
        yield month
        month = month.next()


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
