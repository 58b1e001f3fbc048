"""Stripe's events: written down once before they are answered, handled afterwards in any order, as often as they come.

An event says that something changed; how it is now is asked for anew, so that late and repeated ones do no harm.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from django.db.models import F, Q

from collection.models import ProviderCall, ProviderEvent, ProviderPayment
from collection.models.calls import OPEN_STATES
from collection.providers.contract import REFUSED, Answer, TryAgain
from collection.providers.stripe_client import Refused
from collection.providers.stripe_objects import StripeObjects, verified_event
from collection.queries.accounts import stripe_account_of
from collection.services.answers import store_answer
from collection.services.customers import take_customer
from collection.services.money import reference, take_dispute, take_payment, take_refund
from collection.services.secrets import decrypt_secret
from kernel.errors import InvalidError, NotFoundError, UnavailableError

#: How far a signature may lie from now, before or after. Source: Stripe's own default.
TOLERANCE_SECONDS = 300

#: What is handled; everything else is answered and forgotten. docs/payments.md has the same list.
HANDLED_TYPES = (
    "payment_intent.succeeded",
    "payment_intent.payment_failed",
    "payment_intent.canceled",
    "charge.refunded",
    "refund.created",
    "refund.updated",
    "refund.failed",
    "charge.dispute.created",
    "charge.dispute.updated",
    "charge.dispute.closed",
    "payment_method.attached",
    "payment_method.detached",
    "payment_method.updated",
    "payment_method.automatically_updated",
    "setup_intent.succeeded",
    "customer.updated",
    "customer.deleted",
)

#: How long one worker may take over an event, and how long a failed one waits.
_LEASE, _FIRST_WAIT, _LONGEST_WAIT = timedelta(minutes=5), timedelta(seconds=10), timedelta(hours=6)


class SignatureInvalid(InvalidError):
    """Stripe did not sign this, or at another time."""

    code = "signature_invalid"


def receive_event(*, organization_id: int, body: bytes, signature: str, now: datetime) -> ProviderEvent | None:
    """Write an event down; None for one that is known already, or of a type that is not handled.

    Raises `SignatureInvalid`.
    """
    account = stripe_account_of(organization_id)
    secret = decrypt_secret(account.webhook_secret) if account.webhook_secret else ""
    event = verified_event(body, signature, secret, TOLERANCE_SECONDS)
    if event is None:
        raise SignatureInvalid(
            "This was not signed by Stripe with the organization's secret within five minutes of now. "
            "Check the secret and the server's clock"
        )
    return store_event(organization_id=organization_id, event=event, now=now)


def store_event(*, organization_id: int, event: Mapping[str, Any], now: datetime) -> ProviderEvent | None:
    """The row of an event that is new and of a type that is handled."""
    if event.get("type") not in HANDLED_TYPES:
        return None
    if not (object_id := _asked_for(event)):
        return None
    made = ProviderEvent.objects.bulk_create(
        [
            ProviderEvent(
                organization_id=organization_id,
                event_id=event["id"],
                type=event["type"],
                object_id=object_id,
                created_at=datetime.fromtimestamp(event["created"], UTC),
                received_at=now,
                next_try_at=now,
            )
        ],
        ignore_conflicts=True,
    )
    rows = ProviderEvent.objects.filter(organization_id=organization_id, event_id=event["id"], received_at=now)
    return rows.first() if made else None


def _asked_for(event: Mapping[str, Any]) -> str:
    """The id of what is asked for anew when the event is handled; empty where there is nothing to ask for."""
    name, found = str(event["type"]), event["data"]["object"]
    if name == "payment_method.detached":  # it says whose it was, and is nobody's now
        return reference(event["data"].get("previous_attributes") or {}, "customer")
    if name.startswith(("payment_method.", "setup_intent.")):
        return reference(found, "customer")
    return str(found.get("id") or "")


def handle_due_events(*, now: datetime, limit: int = 200, organization_id: int | None = None) -> int:
    """Handle events that wait; answers how many were handled."""
    due = ProviderEvent.objects.filter(handled_at=None, next_try_at__lte=now)
    if organization_id is not None:
        due = due.filter(organization_id=organization_id)
    ids = list(due.order_by("next_try_at", "id").values_list("pk", flat=True)[:limit])
    return sum(handle_event(event_id=pk, now=now) for pk in ids)


def handle_event(*, event_id: int, now: datetime) -> bool:
    """Handle an event that nobody else holds; False where it has to be tried again. Outside of a transaction."""
    waiting = ProviderEvent.objects.filter(Q(next_try_at__lte=now), pk=event_id, handled_at=None)
    if not waiting.update(next_try_at=now + _LEASE, tries=F("tries") + 1):
        return False
    event = ProviderEvent.objects.get(pk=event_id)
    try:
        _handle(event, now)
    except (TryAgain, NotFoundError, UnavailableError) as error:
        wait = min(_FIRST_WAIT * 2 ** min(event.tries - 1, 20), _LONGEST_WAIT)
        ProviderEvent.objects.filter(pk=event_id).update(next_try_at=now + wait, error=error.detail)
        return False
    except Refused as error:  # what it is about is not there any more
        ProviderEvent.objects.filter(pk=event_id).update(handled_at=now, error=error.detail)
        return True
    ProviderEvent.objects.filter(pk=event_id).update(handled_at=now, error="")
    return True


def _handle(event: ProviderEvent, now: datetime) -> None:
    organization_id, kind = event.organization_id, event.type
    objects = StripeObjects(stripe_account_of(organization_id))
    if kind.startswith("payment_intent."):
        take_intent(organization_id=organization_id, intent=objects.intent(event.object_id), now=now)
    elif kind == "charge.refunded":
        for refund in objects.refunds_of_charge(event.object_id):
            _take_after_its_payment(organization_id, objects, "refund", refund, now)
    elif kind.startswith("refund."):
        _take_after_its_payment(organization_id, objects, "refund", objects.refund(event.object_id), now)
    elif kind.startswith("charge.dispute."):
        _take_after_its_payment(organization_id, objects, "dispute", objects.dispute(event.object_id), now)
    else:
        take_customer(organization_id=organization_id, stripe_customer=event.object_id, now=now)


def take_intent(*, organization_id: int, intent: Mapping[str, Any], now: datetime) -> None:
    """Take over how a payment stands: one that succeeded is noted, one that failed ends its call."""
    if intent["status"] == "succeeded":
        take_payment(organization_id=organization_id, intent=intent, now=now)
    elif intent["status"] in {"requires_payment_method", "canceled"} and intent.get("metadata"):
        call_id = intent["metadata"].get("taximeter_call", "")
        call = ProviderCall.objects.filter(organization_id=organization_id, pk=call_id, state__in=OPEN_STATES).first()
        error = intent.get("last_payment_error") or {}
        code = str(error.get("decline_code") or error.get("code") or intent["status"])[:100]
        if call is not None:
            answer = Answer(REFUSED, str(intent["id"]), code, str(error.get("message", "")), intent)
            store_answer(call_id=call.pk, answer=answer, now=now)


def _take_after_its_payment(
    organization_id: int, objects: StripeObjects, what: str, found: Mapping[str, Any], now: datetime
) -> None:
    """A refund or a dispute may be told of before the payment that it is about."""
    intent = reference(found, "payment_intent")
    if intent and not ProviderPayment.objects.filter(organization_id=organization_id, provider_id=intent).exists():
        take_intent(organization_id=organization_id, intent=objects.intent(intent), now=now)
    if what == "refund":
        take_refund(organization_id=organization_id, refund=found, now=now)
    else:
        take_dispute(organization_id=organization_id, dispute=found, now=now)
