"""What grants of money paid of an invoice is its credits applied; a void one has given it back."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

from django.db.models import Q, Sum, Value
from django.db.models.functions import Coalesce

from billing.credits.models import MovementKind
from billing.invariants.violation import Violation
from billing.invoicing.models import InvoiceStatus
from billing.models import Invoice

_DRAWS = Q(
    credit_movements__kind__in=[MovementKind.DRAWN, MovementKind.RETURNED], credit_movements__grant__currency__gt=""
)


def violations(organization_id: int) -> Iterator[Violation]:
    zero = Value(Decimal(0))
    found = Invoice.objects.filter(organization_id=organization_id).annotate(
        drawn=Coalesce(-Sum("credit_movements__amount", filter=_DRAWS), zero)
    )
    used = found.filter(Q(credits_applied__gt=0) | ~Q(drawn=0))
    for invoice in used.order_by("id"):
        says = Decimal(0) if invoice.status == InvoiceStatus.VOID else max(invoice.credits_applied, Decimal(0))
        if invoice.drawn != says:
            yield Violation(invoice.number or invoice.pk, f"used {invoice.drawn} of credit and says {says}")
