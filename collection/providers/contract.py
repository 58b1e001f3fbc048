"""What a payment provider is. Ours are `stripe`, and `manual` for money that comes without us asking anybody."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Protocol

from billing.facade import Customer, Invoice
from collection.models import PayingCustomer, ProviderCall, ProviderPayment
from kernel.errors import TaximeterError, UnavailableError


class ProviderUnavailable(UnavailableError):
    """The provider did not answer what it was asked, or has no account to be asked with."""

    code = "provider_unavailable"


@dataclass(frozen=True, slots=True)
class Answer:
    """What a provider said to a call, for good: it was done, is under way at the provider, or was refused."""

    state: str
    provider_id: str = ""
    code: str = ""
    detail: str = ""
    #: The object of the provider's, as it answered it.
    data: Mapping[str, Any] = field(default_factory=dict)


DONE, UNDER_WAY, REFUSED = "done", "under_way", "refused"


class TryAgain(TaximeterError):
    """No answer, or one that says nothing of the call: the same call is made again, under the same key."""

    code = "provider_unavailable"

    def __init__(self, detail: str, *, code: str, wait: float = 0.0) -> None:
        super().__init__(detail, code=code)
        #: At least so many seconds.
        self.wait = wait


class OutcomeUnknown(TaximeterError):
    """Trying again would not tell: a person has to look."""

    code = "outcome_unknown"


class Provider(Protocol):
    """A way to be paid. The `*_request` functions write down what will be sent, and answer None for what this provider
    does not do; they talk to nobody. `send` and `look_up` do, outside of any transaction."""

    name: str

    def charge_request(
        self, *, call_id: str, invoice: Invoice, paying: PayingCustomer, amount: Decimal
    ) -> dict[str, Any] | None: ...

    def refund_request(
        self, *, call_id: str, payment: ProviderPayment, amount: Decimal, reason: str
    ) -> dict[str, Any] | None: ...

    def customer_request(self, *, call_id: str, customer: Customer) -> dict[str, Any] | None: ...

    def usage_request(
        self, *, call_id: str, paying: PayingCustomer, event_name: str, quantity: Decimal, at: int
    ) -> dict[str, Any] | None: ...

    def send(self, call: ProviderCall) -> Answer:
        """Make a call as it was written down. Raises `TryAgain` and `OutcomeUnknown`."""

    def look_up(self, call: ProviderCall) -> Answer | None:
        """What became of a call that was sent long ago; None where the provider never heard of it."""
