"""What Stripe has: single objects asked for anew, lists for comparison, and the pages it hosts."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

import stripe

from collection.domain.page_lines import PageLine
from collection.models import StripeAccount
from collection.providers.contract import ProviderUnavailable, TryAgain
from collection.providers.stripe_client import Refused, client_of, client_with, plain, stripe_errors


class StripeObjects:
    """Reads of one organization's account. They raise `TryAgain`, and `Refused` for what is not there."""

    def __init__(self, account: StripeAccount) -> None:
        self._client = client_of(account)

    def intent(self, pk: str) -> dict[str, Any]:
        with stripe_errors():
            return plain(self._client.v1.payment_intents.retrieve(pk))

    def refund(self, pk: str) -> dict[str, Any]:
        with stripe_errors():
            return plain(self._client.v1.refunds.retrieve(pk))

    def refunds_of_charge(self, charge: str) -> list[dict[str, Any]]:
        with stripe_errors():
            return _all(self._client.v1.refunds.list({"charge": charge, "limit": 100}))

    def dispute(self, pk: str) -> dict[str, Any]:
        with stripe_errors():
            return plain(self._client.v1.disputes.retrieve(pk))

    def customer(self, pk: str) -> dict[str, Any]:
        """With `deleted: true` where it was deleted."""
        with stripe_errors():
            return plain(self._client.v1.customers.retrieve(pk))

    def setup_intent(self, pk: str) -> dict[str, Any]:
        with stripe_errors():
            return plain(self._client.v1.setup_intents.retrieve(pk))

    def payment_methods(self, customer: str) -> list[dict[str, Any]]:
        """The customer's, the newest first."""
        with stripe_errors():
            found = _all(self._client.v1.payment_methods.list({"customer": customer, "limit": 100}))
        return sorted(found, key=lambda one: (one["created"], one["id"]), reverse=True)

    def intents_of(self, customer: str, since: datetime) -> list[dict[str, Any]]:
        """A customer's payments, as they are now."""
        asked: Any = {**_since(since), "customer": customer}
        with stripe_errors():
            return _all(self._client.v1.payment_intents.list(asked))

    def intents_since(self, since: datetime) -> Iterator[dict[str, Any]]:
        with stripe_errors():
            yield from _each(self._client.v1.payment_intents.list(_since(since)))

    def refunds_since(self, since: datetime) -> Iterator[dict[str, Any]]:
        with stripe_errors():
            yield from _each(self._client.v1.refunds.list(_since(since)))

    def disputes_since(self, since: datetime) -> Iterator[dict[str, Any]]:
        with stripe_errors():
            yield from _each(self._client.v1.disputes.list(_since(since)))

    def events_since(self, since: datetime, types: list[str]) -> Iterator[dict[str, Any]]:
        """Stripe keeps events for 30 days."""
        with stripe_errors():
            yield from _each(self._client.v1.events.list({"created": _since(since)["created"], "types": types}))

    def meters(self) -> dict[str, str]:
        """The ids of the active Billing Meters, by the names of their events."""
        with stripe_errors():
            found = _all(self._client.v1.billing.meters.list({"status": "active", "limit": 100}))
        return {one["event_name"]: one["id"] for one in found}

    def metered(self, meter: str, customer: str, start: datetime, end: datetime) -> Decimal:
        """What a meter has counted for a customer in a period of whole minutes."""
        if start >= end:
            return Decimal(0)
        asked: Any = {"customer": customer, "start_time": int(start.timestamp()), "end_time": int(end.timestamp())}
        with stripe_errors():
            found = _all(self._client.v1.billing.meters.event_summaries.list(meter, asked))
        return sum((Decimal(str(one["aggregated_value"])) for one in found), Decimal(0))

    def setup_page(self, *, customer: str, success_url: str, cancel_url: str, currency: str) -> str:
        """The address of a page on which a customer gives a payment method for charges to come."""
        asked: dict[str, Any] = {
            "mode": "setup",
            "customer": customer,
            "currency": currency.lower(),
            "success_url": success_url,
            "cancel_url": cancel_url,
        }
        return self._page(asked)

    def payment_page(
        self,
        *,
        customer: str,
        lines: Sequence[PageLine],
        currency: str,
        metadata: Mapping[str, str],
        success_url: str,
    ) -> str:
        """The address of a page on which what is due of an invoice is paid."""
        prices = [
            {"currency": currency.lower(), "unit_amount": one.units, "product_data": {"name": one.name}}
            for one in lines
        ]
        asked: dict[str, Any] = {
            "mode": "payment",
            "customer": customer,
            "line_items": [{"quantity": 1, "price_data": price} for price in prices],
            "payment_intent_data": {"metadata": dict(metadata), "setup_future_usage": "off_session"},
            "success_url": success_url,
        }
        return self._page(asked)

    def _page(self, asked: Any) -> str:
        """Nothing moves by making one, so it is asked for directly; an answer that is lost costs an unused page."""
        try:
            with stripe_errors():
                return str(self._client.v1.checkout.sessions.create(asked).url)
        except (Refused, TryAgain) as error:
            raise ProviderUnavailable(f"Stripe gave no page: {error}") from None


def check_key(api_key: str) -> None:
    """Whether Stripe takes this key. Raises `Refused` and `TryAgain`."""
    with stripe_errors():
        client_with(api_key).v1.payment_intents.list({"limit": 1})


def knows_customer(api_key: str, customer: str) -> bool:
    """Whether the account of this key has a customer, or had it before it was deleted there. Raises `Refused` and
    `TryAgain`. A restricted key need not be allowed to ask which account it is of; customers it has to read."""
    try:
        with stripe_errors():
            client_with(api_key).v1.customers.retrieve(customer)
    except Refused as error:
        if error.code == "resource_missing":
            return False
        raise
    return True


def verified_event(body: bytes, signature: str, secret: str, tolerance: int) -> dict[str, Any] | None:
    """The event of a webhook; None where Stripe did not sign it within `tolerance` seconds of now, before or after, or
    what was signed is not an event. Nothing is signed with no secret."""
    if not secret:
        return None
    try:
        stripe.WebhookSignature.verify_header(body.decode(), signature, secret, tolerance)
        if _signed_at(signature) > time.time() + tolerance:  # Stripe's library looks for old signatures alone
            return None
        found = json.loads(body)
    except (ValueError, stripe.SignatureVerificationError):
        return None
    return found if _is_event(found) else None


def _signed_at(signature: str) -> int:
    """The instant `t` of a signature, in seconds. The first one counts, as in Stripe's library. Raises `ValueError`."""
    parts = (part.split("=", 2) for part in signature.split(","))
    return int(next(part[1] for part in parts if part[0] == "t"))


def _is_event(found: Any) -> bool:
    if not isinstance(found, dict) or not isinstance(found.get("data"), dict):
        return False
    about = found["data"].get("object")
    return isinstance(about, dict) and all(
        isinstance(value, kind)
        for value, kind in ((found.get("id"), str), (found.get("type"), str), (found.get("created"), int))
    )


def _since(since: datetime) -> Any:
    return {"created": {"gte": int(since.timestamp())}, "limit": 100}


def _each(listed: Any) -> Iterator[dict[str, Any]]:
    return (plain(one) for one in listed.auto_paging_iter())


def _all(listed: Any) -> list[dict[str, Any]]:
    return list(_each(listed))
