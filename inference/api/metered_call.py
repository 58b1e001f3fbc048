"""One call through the door: for whom it is, what it used, and its one usage event."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from django.db import DatabaseError

from agents.facade import RateTable, rate_table
from budgets.facade import check_work
from inference.api import engine
from inference.services.recording import call_event
from kernel.clock import system_clock, to_rfc3339
from kernel.errors import ForbiddenError, InvalidError, UnavailableError
from kernel.ids import new_id
from kernel.keys import customer_in_header, customer_key_refusal
from metering.facade import ingest

logger = logging.getLogger("inference")

_LONGEST_HEADER = 200


class NotRecorded(UnavailableError):
    """The call was refused by the log, so its answer is not given."""

    code = "call_not_recorded"


class CallStopped(ForbiddenError):
    """Nothing more is to be spent on this. Clients take it as final, where they would try a 429 again."""

    code = "budget_stopped"


def call_of(
    headers: Mapping[str, str], *, organization_id: int, sent_by: str, only_customer: str | None = None
) -> dict[str, Any]:
    """Whom and what a call is for: `X-Customer`, `X-Subscription`, `X-Agent`, `X-Task-Id`, `X-Turn-Id`, each optional.

    `sent_by` is the id of the API key that calls. With `only_customer` it is for that one; another is a
    `ForbiddenError`.
    """
    customer = _line("X-Customer", customer_in_header(headers.get("X-Customer", "")))
    if customer is not None and (refusal := customer_key_refusal(customer)) is not None:
        raise InvalidError(f"X-Customer can never be a customer's key: {refusal}", code="customer_invalid")
    if only_customer is not None and customer not in {None, only_customer}:
        raise ForbiddenError(
            f"This API key is for calls of the customer {only_customer!r}", code="customer_not_allowed"
        )
    agent = _header(headers, "X-Agent")
    if agent and agent.startswith("@"):
        raise InvalidError("X-Agent must be an agent's key, or key@version", code="header_invalid")
    return {
        "organization_id": organization_id,
        "sent_by": sent_by,
        "customer": customer or only_customer,
        "subscription": _header(headers, "X-Subscription"),
        "agent": agent,
        "task_id": _header(headers, "X-Task-Id"),
        "turn_id": _header(headers, "X-Turn-Id"),
        "started_at": to_rfc3339(system_clock()),
    }


class MeteredCall:
    """A call under way. `note` says what it has used up to now; `record` sends its event, once."""

    def __init__(self, call: dict[str, Any]) -> None:
        self.id = new_id("call")
        self.call = call
        self._account: bytes | None = None
        self._recorded = False
        self._rates: RateTable | None = None

    def refuse_if_stopped(self, *, is_customers_own: bool) -> None:
        """Raises `CallStopped` where a budget that stops is used up, or the customer is suspended."""
        verdict = check_work(
            organization_id=self.call["organization_id"],
            customer=self.call["customer"],
            agent=(self.call["agent"] or "").partition("@")[0] or None,
            now=system_clock(),
            is_customers_own=is_customers_own,
        )
        if not verdict.allowed:
            raise CallStopped(verdict.detail or "", code=verdict.reason)

    def note(self, account: bytes) -> None:
        """The latest account, as JSON."""
        self._account = account

    def prepare(self) -> None:
        """Looks up what the call's event will need, while the engine is still at work on the answer."""
        if self._account is None or self._rates is not None:
            return
        models = {json.loads(self._account)["model"]}
        with suppress(DatabaseError):  # `record` tries again, and says so
            self._rates = rate_table(organization_id=self.call["organization_id"], models=models)

    def record(self) -> None:
        """Sends the event of what the engine computed, if it computed anything; further calls do nothing."""
        if self._recorded or self._account is None:
            return
        account = json.loads(self._account)
        if not account["input_tokens"]:
            return
        now = system_clock()
        event = call_event(request_id=self.id, call=self.call, account=account, now=now, rates=self._rates)
        result = ingest(
            organization_id=self.call["organization_id"], events=[event], received_at=now, sent_by=self.call["sent_by"]
        )
        if result.rejected:
            logger.error("call %s was refused: %s", self.id, result.rejected[0].detail)
            raise NotRecorded(f"The call could not be recorded: {result.rejected[0].detail}")
        self._recorded = True
        if "finished_at" in account:
            engine.recorded.add(self.id)


def _header(headers: Mapping[str, str], name: str) -> str | None:
    return _line(name, headers.get(name, "").strip())


def _line(name: str, value: str) -> str | None:
    if len(value) > _LONGEST_HEADER or not value.isprintable():
        raise InvalidError(f"{name} must be printable and at most {_LONGEST_HEADER} characters", code="header_invalid")
    return value or None
