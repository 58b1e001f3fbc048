"""Money that customers send by themselves: nobody is asked for anything."""

from __future__ import annotations

from typing import Any

from collection.models import ProviderCall
from collection.providers.contract import Answer, OutcomeUnknown


class Manual:
    """Bank transfers and the like. What is to be refunded a person has to send."""

    name = "manual"

    def charge_request(self, **_: Any) -> None:
        return None

    def refund_request(self, **_: Any) -> None:
        return None

    def customer_request(self, **_: Any) -> None:
        return None

    def usage_request(self, **_: Any) -> None:
        return None

    def send(self, call: ProviderCall) -> Answer:
        raise OutcomeUnknown(f"Nobody takes calls such as {call}")

    def look_up(self, call: ProviderCall) -> Answer | None:
        return None
