"""Making the calls that are written down: claimed by one worker for a while, and made again until there is an answer.

Whenever the process dies, the row is there, and the same key makes the provider repeat its first answer instead of
moving money again. Keys are remembered for a day; what was sent before that is looked up instead.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import F, Q, QuerySet

from billing.facade import Invoice, lock_invoice
from collection.models import ProviderCall
from collection.models.calls import OPEN_STATES, CallKind, CallState
from collection.providers.contract import REFUSED, Answer, OutcomeUnknown, TryAgain
from collection.providers.directory import stripe_of
from collection.services.answers import NEVER_ARRIVED, store_answer
from collection.services.dunning import charge_anew
from kernel.errors import NotFoundError, UnavailableError

#: How long a worker may hold a call: longer than the client waits for an answer.
LEASE = timedelta(minutes=10)

#: How long the provider surely knows a key. Stripe: at least 24 hours.
KEY_LIFETIME = timedelta(hours=23)

_FIRST_WAIT, _LONGEST_WAIT = timedelta(seconds=5), timedelta(hours=1)


def calls_due(now: datetime) -> QuerySet[ProviderCall]:
    """Open calls that nobody holds, the oldest first."""
    is_due = Q(next_try_at=None) | Q(next_try_at__lte=now)
    return ProviderCall.objects.filter(is_due, state__in=OPEN_STATES).order_by(F("next_try_at").asc(nulls_first=True))


def make_due_calls(*, now: datetime, limit: int = 100, organization_id: int | None = None) -> int:
    """Make up to `limit` calls that are due; answers how many were made. A refusal or a silence ends no other."""
    due = calls_due(now)
    if organization_id is not None:
        due = due.filter(organization_id=organization_id)
    return sum(make_call(call_id=pk, now=now) is not None for pk in list(due.values_list("pk", flat=True)[:limit]))


def make_call(*, call_id: str, now: datetime) -> ProviderCall | None:
    """Make a call if it is due and nobody holds it; answers it as it stands then. Must run outside of a transaction."""
    call = _claim(call_id, now)
    if call is None:
        return None
    try:
        answer = _ask(call, now)
    except TryAgain as error:
        _postpone(call, now, error.code, error.detail, timedelta(seconds=error.wait))
    except OutcomeUnknown as error:
        _give_up_knowing(call, now, error)
    except (NotFoundError, UnavailableError) as error:  # no account, or a secret that cannot be read
        _postpone(call, now, error.code, error.detail, _LONGEST_WAIT)
    else:
        store_answer(call_id=call.pk, answer=answer, now=now)
    call.refresh_from_db()
    return call


def _claim(call_id: str, now: datetime) -> ProviderCall | None:
    with transaction.atomic():
        # Whoever moves an invoice's money holds its row first, and then that of the call.
        invoice_id = ProviderCall.objects.values_list("invoice_id", flat=True).get(pk=call_id)
        invoice = lock_invoice(Invoice(pk=invoice_id)) if invoice_id else None
        call = calls_due(now).select_for_update(skip_locked=True, of=("self",)).filter(pk=call_id).first()
        if call is None:
            return None
        if invoice and call.kind == CallKind.CHARGE and call.first_sent_at is None and not _is_wanted(call, invoice):
            call.state, call.finished_at = CallState.CANCELLED, now
            call.save(update_fields=["state", "finished_at"])
            charge_anew(invoice=invoice, now=now)
            return None
        call.state, call.next_try_at, call.tries = CallState.SENDING, now + LEASE, call.tries + 1
        call.first_sent_at = call.first_sent_at or now
        call.save(update_fields=["state", "next_try_at", "tries", "first_sent_at"])
        return call


def _is_wanted(call: ProviderCall, invoice: Invoice) -> bool:
    """Whether exactly what a call is to charge is still due."""
    return invoice.status in {"finalized", "uncollectible"} and invoice.amount_due == call.amount


def _ask(call: ProviderCall, now: datetime) -> Answer:
    provider = stripe_of(call.organization_id)
    assert call.first_sent_at is not None, "it was claimed"
    if call.error_code.startswith("http_5") and call.kind != CallKind.USAGE and (found := provider.look_up(call)):
        return found  # the same key would bring the same error again, whatever was done
    if now - call.first_sent_at < KEY_LIFETIME or call.provider_id:
        return provider.send(call)
    return provider.look_up(call) or Answer(REFUSED, code=NEVER_ARRIVED, detail="The provider never heard of it")


def _postpone(call: ProviderCall, now: datetime, code: str, detail: str, wait: timedelta) -> None:
    backoff = min(_FIRST_WAIT * 2 ** min(call.tries - 1, 20), _LONGEST_WAIT)
    _held(call).update(
        state=CallState.PENDING, next_try_at=now + max(backoff, wait), error_code=code[:100], error_detail=detail
    )


def _give_up_knowing(call: ProviderCall, now: datetime, error: OutcomeUnknown) -> None:
    _held(call).update(state=CallState.UNKNOWN, error_code=error.code, error_detail=error.detail, finished_at=now)


def _held(call: ProviderCall) -> QuerySet[ProviderCall]:
    """The row, if it is still open: a webhook may have told the outcome meanwhile."""
    return ProviderCall.objects.filter(pk=call.pk, state=CallState.SENDING, tries=call.tries)
