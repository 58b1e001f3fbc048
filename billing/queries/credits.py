"""What a customer has in advance, and every movement of it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from django.db.models import QuerySet, Sum

from billing.domain.draws import in_order
from billing.models import CreditGrant, CreditMovement, Customer
from billing.queries.wallets import as_drawn, is_of
from rest.lookup import find

ZERO = Decimal(0)


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
