"""Every bill that was due when its month was last closed, and has lines, has its invoice."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from billing.fields import RunStatus
from billing.invariants.violation import Violation
from billing.invoicing.bills import bills_in_month, without_invoice
from billing.invoicing.priced import Unpriceable
from billing.invoicing.pricing import price_bills
from billing.models import BillingRun
from billing.subscriptions.queries import subscriptions_of
from kernel.period import Month


def violations(organization_id: int) -> Iterator[Violation]:
    subscriptions = list(subscriptions_of(organization_id).filter(customer__test_clock=None))
    for month, closed_at in sorted(_closed(organization_id).items()):
        bills = [bill for one in subscriptions for bill in bills_in_month(one, month) if bill.due_at <= closed_at]
        missing = without_invoice(bills)
        for bill, priced in zip(missing, price_bills(missing), strict=True):
            if not isinstance(priced, Unpriceable) and not priced.lines:
                continue  # closed before it was recorded that there was nothing to bill
            yield Violation(
                bill.subscription.pk,
                f"{bill.subscription.customer.key} has no {bill.kind} invoice from {bill.in_force.start:%Y-%m-%d}, "
                f"due in {month}, which was closed on {closed_at:%Y-%m-%d}",
            )


def _closed(organization_id: int) -> dict[Month, datetime]:
    """The months that were closed, and when they last were."""
    runs = BillingRun.objects.filter(
        organization_id=organization_id, status__in=[RunStatus.SUCCEEDED, RunStatus.FAILED]
    ).order_by("created_at")
    return {Month.parse(month): at for month, at in runs.values_list("month", "created_at")}
