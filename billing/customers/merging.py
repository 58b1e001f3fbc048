"""Two customers that are one: what stands in the way of merging them, and the usage that goes over."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from django.db.models import Q

from billing.invoicing.models import InvoiceStatus
from billing.models import Customer, Invoice, OneOffCharge
from kernel.period import Period


@dataclass(frozen=True, slots=True)
class MergeConflict:
    """A reason why two customers cannot be merged yet; `code` is stable, `detail` says what to do."""

    code: str
    detail: str


def merge_conflicts(*, customer: Customer, into: Customer, now: datetime) -> list[MergeConflict]:
    """Everything in billing that has to be settled before `customer` can be merged into `into`."""
    return [MergeConflict(code, detail) for code, detail in _conflicts(customer, into, now)]


def _conflicts(customer: Customer, into: Customer, now: datetime) -> Iterator[tuple[str, str]]:
    if customer.merged_into_id is not None:
        yield "already_merged", f"{customer.key} was merged into {customer.merged_into_id}"
    if into.merged_into_id is not None:
        yield "target_merged", f"{into.key} was merged itself. Merge into {into.merged_into_id}"
    for one in (customer, into):
        if one.erased_at is not None:
            yield "customer_erased", f"{one.key} was erased"
    if customer.currency != into.currency:
        yield "currency_differs", f"{customer.key} pays in {customer.currency}, {into.key} in {into.currency}"
    if customer.test_clock_id != into.test_clock_id:
        yield "test_clock_differs", "Both customers have to live by the same clock"
    if customer.subscriptions.filter(Q(ends_at=None) | Q(ends_at__gt=now)).exists():
        yield "subscription_active", f"{customer.key} has an active subscription. Cancel it first"
    if Invoice.objects.filter(customer=customer, status=InvoiceStatus.DRAFT).exists():
        yield "draft_open", f"{customer.key} has a draft invoice. Finalize it first"
    if customer.credit_grants.filter(balance__gt=0).exists():
        yield "credit_left", f"{customer.key} has credit left. Void its grants, and grant {into.key} the same"


def billed_periods(customer: Customer) -> list[Period]:
    """The times in which usage of the customer belongs to subscriptions of its own: it was or will be billed there."""
    spans = []
    for one in customer.subscriptions.all():
        start, end = one.usage_starts_at or one.starts_at, one.usage_ends_at or one.ends_at
        if end is not None and start < end:
            spans.append(Period(start, end))
    return spans


def waiting_charges(customer: Customer) -> int:
    """How many charges by hand wait for an invoice."""
    return OneOffCharge.objects.filter(customer=customer, line=None).count()


def mark_merged(*, customer: Customer, into: Customer, now: datetime) -> int:
    """Write down that `customer` is `into`, give it the charges that wait, and let those merged into `customer` before
    follow; returns how many charges there were."""
    Customer.objects.filter(pk=customer.pk).update(merged_into=into, merged_at=now)
    Customer.objects.filter(merged_into=customer).update(merged_into=into)
    return OneOffCharge.objects.filter(customer=customer, line=None).update(customer=into)
