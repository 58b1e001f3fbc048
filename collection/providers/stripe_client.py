"""A client for one organization's Stripe account, and what its errors say about the call.

With the other `stripe_*` modules here the only place that imports `stripe`.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, cast

import stripe
from django.conf import settings

from collection.models import StripeAccount
from collection.providers.contract import OutcomeUnknown, TryAgain
from collection.services.secrets import decrypt_secret

#: Pinned, so that a newer library changes nothing by itself. See docs/payments.md before changing it.
API_VERSION = "2026-10-28.endive"

#: What Stripe says when it is busy with the same key, or holds a lock on the object: nothing was done by this request.
_BUSY_CODES = frozenset({"idempotency_key_in_use", "lock_timeout", "rate_limit"})


class Refused(Exception):
    """Stripe understood the call and will not do it, now or under the same key ever."""

    def __init__(self, code: str, detail: str, provider_id: str = "") -> None:
        super().__init__(detail)
        self.code, self.detail, self.provider_id = code, detail, provider_id


def client_of(account: StripeAccount) -> stripe.StripeClient:
    """It repeats nothing by itself: that is the outbox's work."""
    return client_with(decrypt_secret(account.api_key))


def client_with(api_key: str) -> stripe.StripeClient:
    addresses: Any = {"api": settings.STRIPE_API_BASE} if settings.STRIPE_API_BASE else None
    return stripe.StripeClient(
        api_key,
        stripe_version=API_VERSION,
        base_addresses=addresses,
        max_network_retries=0,
        http_client=stripe.RequestsClient(timeout=settings.STRIPE_TIMEOUT_SECONDS),
    )


@contextmanager
def stripe_errors() -> Iterator[None]:
    """Stripe's errors as `Refused`, `TryAgain` or `OutcomeUnknown`."""
    try:
        yield
    except stripe.CardError as error:
        raise _refused(error) from None
    except stripe.IdempotencyError as error:
        # What the key was used for first is not what is asked now: no answer to this call can be had by it.
        raise OutcomeUnknown(_text(error)) from None
    except stripe.InvalidRequestError as error:
        if error.code in _BUSY_CODES:
            raise TryAgain(_text(error), code=str(error.code)) from None
        raise _refused(error) from None
    except stripe.RateLimitError as error:
        raise TryAgain(_text(error), code="rate_limit", wait=_retry_after(error)) from None
    except (stripe.AuthenticationError, stripe.PermissionError) as error:
        raise TryAgain(_text(error), code="key_refused", wait=600.0) from None
    except stripe.APIConnectionError as error:
        raise TryAgain(_text(error), code="connection") from None
    except stripe.StripeError as error:
        code = str(error.code or f"http_{error.http_status or 0}")
        raise TryAgain(_text(error), code=code, wait=_retry_after(error)) from None


def plain(found: Any) -> dict[str, Any]:
    """An object of the library's as a dict of JSON values."""
    answer: dict[str, Any] = found.to_dict()
    return answer


def _refused(error: stripe.StripeError) -> Refused:
    body = cast(dict[str, Any], error.json_body or {}).get("error", {})
    intent = body.get("payment_intent") or {}
    code = str(body.get("decline_code") or error.code or "refused")
    return Refused(code[:100], _text(error), str(intent.get("id", "")))


def _retry_after(error: stripe.StripeError) -> float:
    text = str((error.headers or {}).get("Retry-After", ""))
    return float(text) if text.isascii() and text.isdigit() else 0.0


def _text(error: stripe.StripeError) -> str:
    return str(error.user_message or error)[:500]
