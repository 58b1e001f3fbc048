"""An invoice's subtotal and tax are the sums of those of its lines."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

from django.db.models import F, Q, Sum, Value
from django.db.models.functions import Coalesce

from billing.invariants.violation import Violation
from billing.models import Invoice


def violations(organization_id: int) -> Iterator[Violation]:
    zero = Value(Decimal(0))
    summed = Invoice.objects.filter(organization_id=organization_id).annotate(
        lines_amount=Coalesce(Sum("lines__amount"), zero), lines_tax=Coalesce(Sum("lines__tax"), zero)
    )
    broken = summed.filter(~Q(subtotal=F("lines_amount")) | ~Q(tax=F("lines_tax"))).order_by("id")
    for invoice in broken:
        yield Violation(
            invoice.number or invoice.pk,
            f"subtotal {invoice.subtotal} and tax {invoice.tax}, "
            f"its lines {invoice.lines_amount} and {invoice.lines_tax}",
        )
