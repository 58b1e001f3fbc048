"""What our books say of what a provider did: each thing of the provider's, and what should have become of our calls."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from decimal import Decimal

from django.db.models import Q, Sum

from billing.facade import payments_of
from collection.domain.comparing import Difference, Fact
from collection.models import ProviderCall, ProviderDispute, ProviderPayment, ProviderRefund
from collection.models.calls import OPEN_STATES, CallKind, CallState
from collection.queries.refundable import NOT_GIVEN, owed_refunds

#: A call that has had no answer for so long is worth a look.
OVERDUE_AFTER = timedelta(hours=24)


def money(amount: Decimal, currency: str) -> str:
    """An amount in one way of writing, so that 100 and 100.00 are the same words."""
    plain = format(amount.normalize(), "f")
    return f"{plain} {currency}"


def payments_here(organization_id: int, since: datetime) -> dict[str, Fact]:
    """By the provider's ids."""
    rows = ProviderPayment.objects.filter(organization_id=organization_id, received_at__gte=since)
    return {one.provider_id: Fact(money(one.amount, one.currency), one.received_at, one.invoice_id) for one in rows}


def refunds_here(organization_id: int, since: datetime) -> dict[str, Fact]:
    rows = ProviderRefund.objects.filter(organization_id=organization_id, created_at__gte=since)
    return _with_status(rows.select_related("provider_payment"))


def disputes_here(organization_id: int, since: datetime) -> dict[str, Fact]:
    rows = ProviderDispute.objects.filter(organization_id=organization_id, created_at__gte=since)
    return _with_status(rows.select_related("provider_payment"))


def _with_status(rows: Iterable[ProviderRefund | ProviderDispute]) -> dict[str, Fact]:
    return {
        one.provider_id: Fact(
            f"{money(one.amount, one.provider_payment.currency)} {one.status}",
            one.created_at,
            one.provider_payment.invoice_id,
        )
        for one in rows
    }


def calls_under_way(organization_id: int) -> frozenset[str]:
    """Calls whose outcome is not taken over yet: what they did at the provider is no difference so far."""
    rows = ProviderCall.objects.filter(organization_id=organization_id, state__in=OPEN_STATES)
    return frozenset(rows.values_list("pk", flat=True))


def troubled_calls(organization_id: int, now: datetime) -> list[Difference]:
    """Calls that nobody knows the outcome of or that wait for too long, and refunds and usage that were refused."""
    rows = ProviderCall.objects.filter(organization_id=organization_id)
    unknown = [_of_call("outcome_unknown", one) for one in rows.filter(state=CallState.UNKNOWN)]
    # What is under way there, such as a bank debit, has the provider's id: it is compared with what came of it.
    late = rows.filter(state__in=OPEN_STATES, created_at__lt=now - OVERDUE_AFTER, provider_id="")
    refused = [_of_call("usage_not_counted", one) for one in rows.filter(kind=CallKind.USAGE, state=CallState.FAILED)]
    return unknown + [_of_call("call_unanswered", one) for one in late] + refused + _refunds_refused(organization_id)


def _refunds_refused(organization_id: int) -> list[Difference]:
    """Refunds that failed and can go back now. What an open dispute holds is asked for once it is won."""
    found = []
    for call, amount in owed_refunds(organization_id):
        if amount > 0:
            call.amount = amount
            found.append(_of_call("refund_not_made", call))
    return found


def _of_call(kind: str, call: ProviderCall) -> Difference:
    here = f"{call.kind} {money(call.amount, call.currency)}" if call.amount is not None else str(call.kind)
    said = f"{call.error_code}: {call.error_detail}".strip(": ")
    return Difference(kind, call.pk, here, call.error_code, call.created_at, call.invoice_id, said)


def unbalanced_invoices(organization_id: int, since: datetime, *, named: Iterable[str | None]) -> list[Difference]:
    """Invoices for which our payments by the provider are not what the provider has kept of them, as our copies of its
    things say. Those that a difference has `named` already, and those for which a call is under way, are left out."""
    kept = _kept(organization_id, since)
    booked = payments_of(organization_id).filter(Q(paid_at__gte=since) | Q(invoice__in=list(kept)), method="stripe")
    here: dict[str, Decimal] = dict.fromkeys(kept, Decimal(0))
    at: dict[str, datetime] = {}
    currencies: dict[str, str] = {}
    for payment in payments_of(organization_id).filter(invoice__in=booked.values("invoice"), method="stripe"):
        here[payment.invoice_id] = here.get(payment.invoice_id, Decimal(0)) + payment.amount
        at[payment.invoice_id], currencies[payment.invoice_id] = payment.paid_at, payment.currency
    under_way = ProviderCall.objects.filter(organization_id=organization_id, state__in=OPEN_STATES)
    skipped, found = {*named, *under_way.values_list("invoice_id", flat=True)}, []
    for invoice, ours in here.items():
        theirs, currency, instant = kept.get(invoice) or (Decimal(0), currencies.get(invoice, ""), at[invoice])
        if ours != theirs and invoice not in skipped:
            said = "Payments of this invoice noted as Stripe's, and what Stripe has kept for it"
            words = money(ours, currency), money(theirs, currency)
            found.append(Difference("balance_differs", invoice, *words, instant, invoice, said))
    return found


def _kept(organization_id: int, since: datetime) -> dict[str, tuple[Decimal, str, datetime]]:
    """For each invoice with a payment, refund or dispute since then: what the provider took less what it gave back in
    the books' sense, with its currency and the time of its first payment. What gave back for a credit note, which has
    a payment of another method, is left out on both sides."""
    own, of_payment = {"organization_id": organization_id}, "provider_payment__invoice"
    touched = {
        *ProviderPayment.objects.filter(**own, received_at__gte=since).values_list("invoice", flat=True),
        *ProviderRefund.objects.filter(**own, created_at__gte=since).values_list(of_payment, flat=True),
        *ProviderDispute.objects.filter(**own, created_at__gte=since).values_list(of_payment, flat=True),
    }
    found: dict[str, tuple[Decimal, str, datetime]] = {}
    for one in ProviderPayment.objects.filter(**own, invoice__in=touched).order_by("-received_at"):
        amount = found[one.invoice_id][0] if one.invoice_id in found else Decimal(0)
        found[one.invoice_id] = (amount + one.amount, one.currency, one.received_at)
    refunds = ProviderRefund.objects.filter(**own, provider_payment__invoice__in=touched).exclude(status__in=NOT_GIVEN)
    refunds = refunds.filter(Q(payment=None) | Q(payment__method="stripe"))
    disputes = ProviderDispute.objects.filter(**own, provider_payment__invoice__in=touched, status="lost")
    for rows in (refunds, disputes):
        sums = rows.order_by().values_list(of_payment).annotate(sum=Sum("amount"))
        for invoice, gone in sums:
            amount, currency, instant = found[invoice]
            found[invoice] = (amount - gone, currency, instant)
    return found
