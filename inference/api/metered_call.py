"""One call through the door: for whom it is, what it used, and its one usage event."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from agents.facade import costs_of, meter_for
from kernel.clock import system_clock
from kernel.errors import InvalidError
from kernel.ids import new_id

logger = logging.getLogger("inference")

SOURCE = "taximeter/inference"
_LONGEST_HEADER = 200


class CallHeaders:
    """`X-Customer`, `X-Agent`, `X-Task-Id` and `X-Turn-Id`: whom and what a call is for, each optional."""

    def __init__(self, headers: Mapping[str, str]) -> None:
        self.customer = _header(headers, "X-Customer")
        self.agent = _header(headers, "X-Agent")
        self.task_id = _header(headers, "X-Task-Id")
        self.turn_id = _header(headers, "X-Turn-Id")


class MeteredCall:
    """A call under way. `account` is what it has used up to now; `record` sends its event, once."""

    def __init__(self, *, organization_id: int, headers: CallHeaders) -> None:
        self.id = new_id("call")
        self.account: Mapping[str, Any] | None = None
        self._headers = headers
        self._meter = meter_for(organization_id=organization_id, source=SOURCE)
        self._started_at = system_clock()
        self._recorded = False

    def record(self) -> None:
        """Sends the event of what the engine computed, if it computed anything; further calls do nothing."""
        if self._recorded or self.account is None or not self.account["input_tokens"]:
            return
        account = dict(self.account)
        account.pop("first_token_ms", None)
        account["finish_reason"] = account["finish_reason"] or "error"
        self._meter.inference_call(
            customer=self._headers.customer,
            agent=self._headers.agent,
            call_id=self.id,
            started_at=self._started_at,
            task_id=self._headers.task_id,
            turn_id=self._headers.turn_id,
            provider="taximeter",
            **account,
            **costs_of(account["compute_seconds"]),
        )
        self._recorded = True


def _header(headers: Mapping[str, str], name: str) -> str | None:
    value = headers.get(name, "").strip()
    if len(value) > _LONGEST_HEADER or not value.isprintable():
        raise InvalidError(f"{name} must be printable and at most {_LONGEST_HEADER} characters", code="header_invalid")
    return value or None
