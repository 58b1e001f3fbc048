"""What becomes of credit that is left when its grant expires: it is gone, or rolled over."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal

from django.db import transaction
from django.db.models import Exists, Min, OuterRef, QuerySet

from billing.credits.grants import granted, record_movements, store_grants
from billing.credits.models import GrantSource, MovementKind
from billing.credits.queries import without_open_bills
from billing.invoicing.models import InvoiceStatus
from billing.models import CreditGrant, CreditMovement, Invoice, TestClock
from billing.rating.draws import rolled_over

#: Grants expired in one transaction.
BATCH = 500


def expire_credits(*, now: datetime) -> int:
    """Expire every grant that is due, of all organizations; answers how many. Customers on a test clock live by it.

    Safe to run twice and at once. A grant waits while a bill that fell due in its time has no invoice, or a draft:
    it may still pay for it.
    """
    due = list(_due(now).filter(customer__test_clock=None).order_by("expires_at", "id").values_list("id", flat=True))
    expired = 0
    for start in range(0, len(due), BATCH):
        with transaction.atomic():
            rows = CreditGrant.objects.filter(pk__in=due[start : start + BATCH], balance__gt=0).order_by("id")
            found = without_open_bills(list(rows.select_for_update(of=("self",), skip_locked=True)))
            _expire(found, now)
        expired += len(found)
    return expired


def expire_on_clock(*, test_clock: TestClock, until: datetime) -> int:
    """Expire the grants of a clock's customers that expire up to and at `until`, each at its own instant; part of the
    caller's transaction."""
    expired = 0
    due = _due(until).filter(customer__test_clock=test_clock)
    while (at := due.aggregate(first=Min("expires_at"))["first"]) is not None:
        found = list(due.filter(expires_at=at).select_for_update(of=("self",)).order_by("id"))
        _expire(found, at)
        expired += len(found)
    return expired


def _due(now: datetime) -> QuerySet[CreditGrant]:
    drafts = Invoice.objects.filter(
        customer=OuterRef("customer"), status=InvoiceStatus.DRAFT, period_start__lte=OuterRef("expires_at")
    )
    return CreditGrant.objects.filter(balance__gt=0, expires_at__lte=now).exclude(Exists(drafts))


def _expire(grants: list[CreditGrant], now: datetime) -> None:
    movements: list[CreditMovement] = []
    successors: list[CreditGrant] = []
    for grant in grants:
        kept = rolled_over(grant.balance, grant.rollover_limit)
        for kind, amount in ((MovementKind.ROLLED_OVER, kept), (MovementKind.EXPIRED, grant.balance - kept)):
            if amount:
                movements.append(CreditMovement(grant=grant, kind=kind, amount=-amount, occurred_at=now))
        if kept:
            successors.append(_successor(grant, kept, now))
    record_movements(movements)
    store_grants(successors, [granted(one, now) for one in successors])


def _successor(grant: CreditGrant, amount: Decimal, now: datetime) -> CreditGrant:
    """What is rolled over: it takes the place of `grant` at the instant it expires, and is not rolled over again."""
    assert grant.expires_at is not None
    assert grant.rollover_days is not None
    return CreditGrant(
        organization_id=grant.organization_id,
        customer_id=grant.customer_id,
        name=grant.name,
        source=GrantSource.ROLLOVER,
        currency=grant.currency,
        pricing_unit_id=grant.pricing_unit_id,
        meter_id=grant.meter_id,
        amount=amount,
        balance=amount,
        priority=grant.priority,
        effective_at=grant.expires_at,
        expires_at=grant.expires_at + timedelta(days=grant.rollover_days),
        created_at=now,
    )
