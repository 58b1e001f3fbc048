"""One usage event for each call of the engine, the same whoever records it: the web server that served the
call, or, where that died, the periodic task that collects what the engine has kept."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from taximeter import Event, Meter

from agents.facade import RateTable, call_cost
from kernel.clock import parse_rfc3339

SOURCE = "taximeter/inference"

#: What the account of a call under way lacks once it is cut off with the engine.
_CUT_OFF = "error"


def call_event(
    *,
    request_id: str,
    call: Mapping[str, Any],
    account: Mapping[str, Any],
    now: datetime,
    rates: RateTable | None = None,
) -> Event:
    """The event of one call: `call` is who it was for (`CallHeaders.as_call`), `account` what the engine measured.

    `rates` are those of its model, where they are known already. Its time is the call's end where the engine said it,
    `now` where the engine died before.
    """
    measured = {name: value for name, value in account.items() if name != "finished_at"}
    measured["finish_reason"] = measured["finish_reason"] or _CUT_OFF
    ended_at = parse_rfc3339(account["finished_at"]) if account.get("finished_at") else now
    built: list[Event] = []
    meter = Meter(source=SOURCE, transport=built.extend, clock=lambda: ended_at, sdk=None)
    meter.inference_call(
        customer=None,
        agent=call["agent"],
        call_id=request_id,
        started_at=parse_rfc3339(call["started_at"]),
        task_id=call["task_id"],
        turn_id=call["turn_id"],
        subscription=call.get("subscription"),
        provider="taximeter",
        **measured,
        **call_cost(
            organization_id=call["organization_id"], at=ended_at, provider="taximeter", rates=rates, **measured
        ),
    )
    [event] = built
    return {**event, "subject": call["customer"]} if call["customer"] else event
