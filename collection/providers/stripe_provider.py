"""Charges, refunds, customers and usage at Stripe: each call as it is written down, and as it is made."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

from billing.facade import Customer, Invoice
from collection.domain.minor_units import to_minor_units
from collection.models import PayingCustomer, ProviderCall, ProviderPayment, StripeAccount
from collection.models.calls import CallKind
from collection.providers.contract import DONE, REFUSED, UNDER_WAY, Answer, OutcomeUnknown
from collection.providers.stripe_client import Refused, client_of, plain, stripe_errors

#: How much before a call was sent first its object may be dated by Stripe's clock.
_CLOCKS_DIFFER = timedelta(hours=1)


class Stripe:
    """One organization's account. Objects carry the id of the call that made them, so that they can be found again."""

    name = "stripe"

    def __init__(self, account: StripeAccount) -> None:
        self.account = account
        self._client = client_of(account)

    def charge_request(
        self, *, call_id: str, invoice: Invoice, paying: PayingCustomer, amount: Decimal
    ) -> dict[str, Any] | None:
        """None where Stripe knows no payment method. Raises `AmountNotChargeable`."""
        if not (paying.stripe_customer and paying.payment_method):
            return None
        return {
            "amount": to_minor_units(amount, invoice.currency),
            "currency": invoice.currency.lower(),
            "customer": paying.stripe_customer,
            "payment_method": paying.payment_method,
            "confirm": True,
            "off_session": True,
            "automatic_payment_methods": {"enabled": True, "allow_redirects": "never"},
            "description": f"Invoice {invoice.number}",
            "metadata": self._metadata(call=call_id, invoice=invoice.pk, customer=invoice.customer_id),
        }

    def refund_request(
        self, *, call_id: str, payment: ProviderPayment, amount: Decimal, reason: str
    ) -> dict[str, Any] | None:
        return {
            "payment_intent": payment.provider_id,
            "amount": to_minor_units(amount, payment.currency),
            "metadata": self._metadata(call=call_id, invoice=payment.invoice_id, reason=reason),
        }

    def customer_request(self, *, call_id: str, customer: Customer) -> dict[str, Any] | None:
        fields: dict[str, Any] = {
            "name": customer.name or customer.key,
            "metadata": self._metadata(call=call_id, customer=customer.pk),
        }
        return fields | ({"email": customer.email} if customer.email else {})

    def usage_request(
        self, *, call_id: str, paying: PayingCustomer, event_name: str, quantity: Decimal, at: int
    ) -> dict[str, Any] | None:
        """None for a customer whom Stripe does not know. `quantity` goes as it is, digit by digit."""
        if not paying.stripe_customer:
            return None
        return {
            "event_name": event_name,
            "identifier": call_id,
            "timestamp": at,
            "payload": {"stripe_customer_id": paying.stripe_customer, "value": format(quantity, "f")},
        }

    def send(self, call: ProviderCall) -> Answer:
        if call.provider_id and call.kind == CallKind.CHARGE:
            with stripe_errors():  # it is under way: how is it?
                return _of_intent(plain(self._client.v1.payment_intents.retrieve(call.provider_id)))
        options: Any = {"idempotency_key": self._key(call)}
        request: Any = call.request
        try:
            with stripe_errors():
                if call.kind == CallKind.CHARGE:
                    return _of_intent(plain(self._client.v1.payment_intents.create(request, options)))
                if call.kind == CallKind.REFUND:
                    return _of_refund(plain(self._client.v1.refunds.create(request, options)))
                if call.kind == CallKind.CUSTOMER:
                    return _done(plain(self._client.v1.customers.create(request, options)))
                return _of_usage(plain(self._client.v1.billing.meter_events.create(request, options)))
        except Refused as error:
            if call.kind == CallKind.USAGE and "already exists with identifier" in error.detail:
                return Answer(DONE, call.pk)  # an answer was lost: it counts already
            return Answer(REFUSED, error.provider_id, error.code, error.detail)

    @staticmethod
    def _key(call: ProviderCall) -> str:
        """The key of a call. Usage that was answered with an error, which the key would bring back, goes under another
        one: its identifier sees to it that it counts once."""
        if call.kind == CallKind.USAGE and call.error_code.startswith("http_5"):
            return f"{call.idempotency_key}-{call.tries}"
        return call.idempotency_key

    def look_up(self, call: ProviderCall) -> Answer | None:
        assert call.first_sent_at is not None, "only what was sent can be there"
        since = int((call.first_sent_at - _CLOCKS_DIFFER).timestamp())
        with stripe_errors():
            if call.kind == CallKind.CHARGE:
                asked: Any = {"customer": call.request["customer"], "created": {"gte": since}, "limit": 100}
                found = self._made_by(call, self._client.v1.payment_intents.list(asked))
                return _of_intent(found) if found else None
            if call.kind == CallKind.REFUND:
                asked = {"payment_intent": call.request["payment_intent"], "limit": 100}
                found = self._made_by(call, self._client.v1.refunds.list(asked))
                return _of_refund(found) if found else None
            if call.kind == CallKind.CUSTOMER:
                made = self._client.v1.customers.list({"created": {"gte": since}, "limit": 100})
                found = self._made_by(call, made)
                return _done(found) if found else None
        raise OutcomeUnknown("Stripe cannot be asked for a single meter event, and remembers its identifier for a day")

    def _made_by(self, call: ProviderCall, listed: Any) -> dict[str, Any] | None:
        for one in listed.auto_paging_iter():
            if (found := plain(one)).get("metadata", {}).get("taximeter_call") == call.pk:
                return found
        return None

    def _metadata(self, **references: str) -> dict[str, str]:
        named = {f"taximeter_{name}": text for name, text in references.items() if text}
        return {"taximeter_organization": self.account.organization.public_id} | named


def _done(found: dict[str, Any]) -> Answer:
    return Answer(DONE, str(found["id"]), data=found)


def _of_usage(found: dict[str, Any]) -> Answer:
    return Answer(DONE, str(found["identifier"]), data=found)


def _of_intent(found: dict[str, Any]) -> Answer:
    """What an off-session payment came to. One that wants its payer back has failed: the payer is not there."""
    status, error = found["status"], found.get("last_payment_error") or {}
    if status == "succeeded":
        return _done(found)
    if status == "processing":
        return Answer(UNDER_WAY, found["id"], data=found)
    code = error.get("decline_code") or error.get("code") or ("canceled" if status == "canceled" else status)
    return Answer(REFUSED, found["id"], str(code)[:100], str(error.get("message") or f"The payment is {status}"), found)


def _of_refund(found: dict[str, Any]) -> Answer:
    if found["status"] in {"failed", "canceled"}:
        return Answer(REFUSED, found["id"], found.get("failure_reason") or found["status"], data=found)
    return _done(found)
