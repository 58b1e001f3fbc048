"""What was paid in advance for days after a subscription's end is given back, once all its bills are issued.

Also where it ended before it cost anything. By days: what was charged for a price, less what was given back, is what
its days cost. Fees that are not prorated are charged once a period, however long it lasts.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from fractions import Fraction

from django.db import connection
from django.db.models import Sum

from billing.invariants.violation import Violation
from billing.invoicing.advance import DaysCharged, days_charged, given_back
from billing.invoicing.bills import bills_in_month, without_invoice
from billing.invoicing.models import InvoiceStatus
from billing.models import Invoice, InvoiceLine, Subscription
from billing.subscriptions.timeline import zone_of
from kernel.clock import system_clock
from kernel.period import Month

_DAY = timedelta(days=1)

#: Prices of which about as much as was charged for the time after the end was not given back, as seconds see it.
_CANDIDATES = """
SELECT i.subscription_id, p.id
FROM billing_invoiceline l
JOIN billing_price p ON p.id = l.price_id AND p.bill = 'in_advance' AND p.prorate
JOIN billing_invoice i ON i.id = l.invoice_id AND i.status <> 'void'
JOIN billing_subscription s ON s.id = i.subscription_id
JOIN billing_customer c ON c.id = s.customer_id
CROSS JOIN LATERAL (SELECT s.ends_at AT TIME ZONE c.timezone AS ends_at) AS local
CROSS JOIN LATERAL (
    SELECT CASE WHEN local.ends_at = date_trunc('day', local.ends_at) THEN s.ends_at
        ELSE (date_trunc('day', local.ends_at) + interval '1 day') AT TIME ZONE c.timezone END AS ends_at
) AS day
CROSS JOIN LATERAL (
    SELECT extract(epoch FROM l.period_end - greatest(l.period_start, day.ends_at))
        / extract(epoch FROM l.period_end - l.period_start) AS unused
) AS part
WHERE i.organization_id = %s AND s.ends_at IS NOT NULL AND l.period_end > day.ends_at
    AND (l.role = 'charge' OR (l.role = 'settlement' AND l.amount < 0))
GROUP BY i.subscription_id, p.id
HAVING sum(CASE WHEN l.role = 'charge' THEN l.amount * part.unused ELSE l.amount END)
    > 0.01 * sum(l.amount) FILTER (WHERE l.role = 'charge')
ORDER BY 1, 2
"""


def violations(organization_id: int) -> Iterator[Violation]:
    with connection.cursor() as cursor:
        cursor.execute(_CANDIDATES, [organization_id])
        pairs = cursor.fetchall()
    now = system_clock()
    for one in days_charged(pairs):
        kept = one.kept - _credited(one)
        if kept > one.tolerance and _is_over(one.subscription, now):
            yield Violation(
                one.subscription.pk,
                f"{float(kept):.2f} that was charged of {one.price.name!r} for days after the end is not given back",
            )


def _credited(one: DaysCharged) -> Fraction:
    """What credit notes gave back of what was charged."""
    lines = InvoiceLine.objects.filter(
        invoice__subscription=one.subscription, price=one.price, credited_by__isnull=False
    ).exclude(invoice__status=InvoiceStatus.VOID)
    credited = lines.annotate(credited=Sum("credited_by__amount")).select_related("invoice")
    return sum((Fraction(given_back(line, line.credited)) for line in credited), Fraction(0))


def _is_over(one: Subscription, now: datetime) -> bool:
    """Return whether a subscription has ended and all that is due of it by `now` (the time of its test clock, where it
    has one) is invoiced."""
    clock, ends_at = one.customer.test_clock, one.ends_at
    now = now if clock is None else clock.now
    if ends_at is None or now < ends_at + _DAY:
        return False
    months = sorted({Month.of(ends_at + step, zone_of(one)) for step in (-_DAY, timedelta(0), _DAY)})
    due = [bill for month in months for bill in bills_in_month(one, month) if bill.due_at <= now]
    drafts = Invoice.objects.filter(subscription=one, status=InvoiceStatus.DRAFT)
    return not without_invoice(due) and not drafts.exists()
