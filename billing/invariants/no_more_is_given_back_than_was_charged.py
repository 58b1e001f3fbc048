"""No more is given back of a price than was charged for days that were not used.

Of a price in advance, by days: what settlements give back is at most what was charged for its days beyond what they
cost. Of usage, what a period's invoice takes off is at most what threshold invoices charged.
"""

from __future__ import annotations

from collections.abc import Iterator

from django.db import connection

from billing.catalog.models import Bill
from billing.invariants.violation import Violation
from billing.invoicing.advance import days_charged
from billing.invoicing.models import InvoiceStatus, LineRole
from billing.models import InvoiceLine

#: A threshold invoice that was void when its period was invoiced took nothing off; one may be voided later.
_TAKEN_OFF = """
SELECT i.subscription_id, p.name, -sum(l.amount) FILTER (WHERE i.kind <> 'threshold' AND l.role = 'billed_before'),
    sum(l.amount) FILTER (WHERE i.kind = 'threshold')
FROM billing_invoiceline l
JOIN billing_price p ON p.id = l.price_id
JOIN billing_invoice i ON i.id = l.invoice_id AND (i.status <> 'void' OR i.kind = 'threshold')
WHERE i.organization_id = %s AND (i.kind = 'threshold' OR l.role = 'billed_before')
GROUP BY i.subscription_id, p.id, p.name
HAVING -sum(l.amount) FILTER (WHERE i.kind <> 'threshold' AND l.role = 'billed_before')
    > coalesce(sum(l.amount) FILTER (WHERE i.kind = 'threshold'), 0)
ORDER BY 1, 2
"""


def violations(organization_id: int) -> Iterator[Violation]:
    given_back = (
        InvoiceLine.objects.filter(
            invoice__organization_id=organization_id,
            role=LineRole.SETTLEMENT,
            price__bill=Bill.IN_ADVANCE,
            amount__lt=0,
        )
        .exclude(invoice__status=InvoiceStatus.VOID)
        .order_by()
        .values_list("invoice__subscription_id", "price_id")
    )
    for one in days_charged((subscription or "", price or "") for subscription, price in given_back.distinct()):
        if one.given_back > one.unused + one.tolerance:
            yield Violation(
                one.subscription.pk,
                f"{float(one.given_back):.2f} is given back of {one.price.name!r}, and {float(one.unused):.2f} was "
                "charged for days that were not used",
            )
    with connection.cursor() as cursor:
        cursor.execute(_TAKEN_OFF, [organization_id])
        for subscription, name, taken, charged in cursor.fetchall():
            yield Violation(subscription, f"{taken} is taken off for {name!r}, and {charged or 0} was invoiced before")
