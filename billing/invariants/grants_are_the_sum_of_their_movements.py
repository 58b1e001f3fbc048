"""What is left of a credit grant is the sum of its movements."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

from django.db.models import F, Q, Sum, Value
from django.db.models.functions import Coalesce

from billing.invariants.violation import Violation
from billing.models import CreditGrant


def violations(organization_id: int) -> Iterator[Violation]:
    moved = CreditGrant.objects.filter(organization_id=organization_id).annotate(
        moved=Coalesce(Sum("movements__amount"), Value(Decimal(0)))
    )
    for grant in moved.filter(~Q(balance=F("moved"))).order_by("id"):
        yield Violation(grant.pk, f"has {grant.balance} left, its movements sum to {grant.moved}")
