"""What a person does about a call that came to nothing, or of which nobody knows what it came to."""

from __future__ import annotations

from datetime import datetime

from django.db import transaction

from accounts.facade import record_audit
from billing.facade import lock_invoice
from collection.models import ProviderCall, UsagePush
from collection.models.calls import CallKind, CallState
from collection.providers.contract import REFUSED, Answer, ProviderUnavailable, TryAgain
from collection.providers.directory import stripe_of
from collection.queries.refundable import held_of, owed_refunds
from collection.services.answers import NEVER_ARRIVED, store_answer
from collection.services.refunds import order_refund
from kernel.errors import ConflictError


class NothingToRepeat(ConflictError):
    code = "nothing_to_repeat"


def repeat_call(*, call: ProviderCall, now: datetime, actor: str) -> ProviderCall:
    """Go on with a call: one that waits is made at once; one of unknown outcome is looked up at the provider, and made
    anew where it never arrived; a refund or usage that was refused is ordered anew. Answers the call that goes on.

    Outside of a transaction. Raises `NothingToRepeat`, `ProviderUnavailable`.
    """
    if call.state == CallState.PENDING:
        ProviderCall.objects.filter(pk=call.pk, state=CallState.PENDING).update(next_try_at=None)
        return _seen(call, actor)
    if call.kind == CallKind.USAGE and call.state in {CallState.FAILED, CallState.UNKNOWN}:
        _forget_push(call, now)
        return _seen(call, actor)
    if call.state == CallState.UNKNOWN:
        _look_up(call, now)
        return _seen(call, actor)
    if call.kind == CallKind.REFUND and call.state == CallState.FAILED:
        return _seen(_refund_anew(call, now), actor)
    raise NothingToRepeat(f"A {call.kind} that has {call.state} is not made again by hand")


def _look_up(call: ProviderCall, now: datetime) -> None:
    try:
        found = stripe_of(call.organization_id).look_up(call)
    except TryAgain as error:
        raise ProviderUnavailable(f"Stripe did not answer: {error.detail}") from None
    never = Answer(REFUSED, code=NEVER_ARRIVED, detail="The provider never heard of it")
    store_answer(call_id=call.pk, answer=found or never, now=now)


def _refund_anew(call: ProviderCall, now: datetime) -> ProviderCall:
    source = call.provider_payment
    assert source is not None, "a refund gives a payment back"
    with transaction.atomic():
        lock_invoice(source.invoice)
        owed = owed_refunds(call.organization_id, invoice_id=source.invoice_id)
        amounts = {(one.provider_payment_id, one.payment_id): amount for one, amount in owed}
        amount = amounts.get((source.pk, call.payment_id))
        if amount is None:
            raise NothingToRepeat("This refund was ordered anew already")
        if amount <= 0:
            held = held_of(source)
            raise NothingToRepeat(
                f"An open dispute holds {held} {source.currency} of this payment. Repeat the refund once it is won"
                if held
                else "Nothing of this payment is left to give back"
            )
        reason = "refund" if call.payment_id else "surplus"
        return order_refund(source=source, amount=amount, payment=call.payment, reason=reason, now=now)


def _forget_push(call: ProviderCall, now: datetime) -> None:
    """Whoever asks for it has seen at Stripe that the event does not count: its hour is pushed anew."""
    with transaction.atomic():
        locked = ProviderCall.objects.select_for_update(of=("self",)).get(pk=call.pk)
        if locked.state not in {CallState.FAILED, CallState.UNKNOWN}:
            raise NothingToRepeat("The event of this usage has arrived meanwhile")
        UsagePush.objects.filter(call=locked).delete()
        locked.state, locked.finished_at = CallState.CANCELLED, now
        locked.save(update_fields=["state", "finished_at"])


def _seen(call: ProviderCall, actor: str) -> ProviderCall:
    call.refresh_from_db()
    record_audit(
        organization_id=call.organization_id,
        actor=actor,
        action="provider_call.repeat",
        target=call.pk,
        kind=call.kind,
    )
    return call
