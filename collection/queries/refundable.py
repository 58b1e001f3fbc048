"""Amounts of a provider's payments that can still be refunded, and refunds that are owed: one answer for the calls that
are ordered and for the differences that people are shown."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from decimal import Decimal

from django.db.models import QuerySet, Sum

from collection.models import ProviderCall, ProviderPayment
from collection.models.calls import OPEN_STATES, CallKind, CallState

#: The provider's words for a refund that gave nothing back.
NOT_GIVEN = ("failed", "canceled")

#: A dispute's last words: no event that comes late takes them back.
CLOSED_DISPUTES = frozenset({"won", "lost", "warning_closed", "prevented"})

#: Inquiries: the payer's bank asks, and no money is withdrawn. A refund is the usual reply. Source:
#: https://docs.stripe.com/disputes/how-disputes-work#inquiries
INQUIRIES = frozenset({"warning_needs_response", "warning_under_review"})

#: Calls that gave their amount back or may still do so.
_COVERED = (*OPEN_STATES, CallState.UNKNOWN, CallState.SUCCEEDED)


def left_of(source: ProviderPayment) -> Decimal:
    """Amount of a payment that is still at the provider: not refunded, and not lost in a dispute."""
    gone = source.refunds.exclude(status__in=NOT_GIVEN).aggregate(sum=Sum("amount"))["sum"] or 0
    lost = source.disputes.filter(status="lost").aggregate(sum=Sum("amount"))["sum"] or 0
    return Decimal(source.amount - gone - lost)


def held_of(source: ProviderPayment) -> Decimal:
    """Amount of a payment that open disputes hold. Refunded besides, the customer would have it twice."""
    held = source.disputes.exclude(status__in=CLOSED_DISPUTES | INQUIRIES).aggregate(sum=Sum("amount"))["sum"]
    return Decimal(held or 0)


def refundable(source: ProviderPayment) -> Decimal:
    """Amount of a payment that can be refunded now: received, less refunds made or under way, less what disputes hold
    or took. Never less than zero."""
    under_way = ProviderCall.objects.filter(
        provider_payment=source, kind=CallKind.REFUND, state__in=[*OPEN_STATES, CallState.UNKNOWN]
    ).aggregate(sum=Sum("amount"))["sum"]
    return max(left_of(source) - held_of(source) - (under_way or 0), Decimal(0))


def owed_refunds(organization_id: int, *, invoice_id: str | None = None) -> list[tuple[ProviderCall, Decimal]]:
    """Refunds that failed and are still owed: the last failed call of each, with the amount that can go back now (zero
    while a dispute holds all of it). A payment is never divided beyond what is refundable of it."""
    asked = ProviderCall.objects.filter(organization_id=organization_id, kind=CallKind.REFUND)
    if invoice_id is not None:
        asked = asked.filter(invoice_id=invoice_id)
    failed = asked.filter(state=CallState.FAILED).exclude(provider_payment=None)
    last = {(one.provider_payment_id, one.payment_id): one for one in _with_parts(failed)}
    wanted = _uncovered(asked, last.values())
    left: dict[str, Decimal] = {}
    found = []
    for one in last.values():
        source, order = one.provider_payment, _order_of(one)
        assert source is not None, "others were left out"
        if wanted[order] <= 0:
            continue
        left.setdefault(source.pk, refundable(source))
        amount = min(wanted[order], left[source.pk])
        wanted[order] -= amount
        left[source.pk] -= amount
        found.append((one, amount))
    return found


def _with_parts(calls: QuerySet[ProviderCall]) -> QuerySet[ProviderCall]:
    return calls.select_related("provider_payment", "payment").order_by("pk")


def _order_of(call: ProviderCall) -> str:
    """The books' refund that a call is for; of a surplus, which is not in the books, the payment."""
    return call.payment_id or str(call.provider_payment_id)


def _uncovered(asked: QuerySet[ProviderCall], failed: Iterable[ProviderCall]) -> dict[str, Decimal]:
    """Amount of each refund that no call has given back or is about to."""
    wanted: dict[str, Decimal] = defaultdict(Decimal)
    for one in failed:
        source = one.provider_payment
        assert source is not None, "a refund is of a payment"
        wanted[_order_of(one)] = -one.payment.amount if one.payment else source.surplus
    sources = {one.provider_payment_id for one in failed}
    refunds = {one.payment_id for one in failed if one.payment_id}
    covered = asked.filter(state__in=_COVERED)
    for one in covered.filter(payment__in=refunds) | covered.filter(payment=None, provider_payment__in=sources):
        wanted[_order_of(one)] -= one.amount or Decimal(0)
    return wanted
