"""Recording into the organization's own log: the SDK's event builder with an in-process transport."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.conf import settings
from taximeter import Event, Meter

from agents.domain.activity import compute_cost
from agents.domain.costs import RateTable
from agents.domain.readings import INFERENCE_CALL, read_event
from agents.domain.summaries import Change, call_group, fold_call
from agents.queries.rates import rate_table
from kernel.clock import Clock, system_clock
from kernel.money import decimal_from
from metering.facade import ingest

logger = logging.getLogger("agents")

COST_CURRENCY = "USD"

#: What events of our own engine name as their provider.
OWN_PROVIDER = "taximeter"


class InProcessTransport:
    """Hands events to metering in this process, with the checks and the identity of the HTTP door.

    A batch is one transaction. Events that are refused are logged: sending them again would change nothing.
    """

    def __init__(self, organization_id: int) -> None:
        self._organization_id = organization_id

    def __call__(self, events: list[Event]) -> None:
        result = ingest(
            organization_id=self._organization_id,
            events=events,
            received_at=system_clock(),
            backfill=True,
            sent_once=True,
        )
        for one in result.quarantined or []:
            logger.error("event %s is in quarantine: %s (%s)", one.id, one.detail, one.code)
        for refusal in result.rejected:
            logger.error("event %s was refused: %s (%s)", refusal.id, refusal.detail, refusal.code)


def meter_for(*, organization_id: int, source: str, clock: Clock = system_clock) -> Meter:
    """A meter whose events go to the log of `organization_id`; their times are those of `clock`."""
    return Meter(source=source, transport=InProcessTransport(organization_id), clock=clock, sdk=None)


def call_cost(
    *,
    organization_id: int,
    at: datetime,
    provider: str = "",
    model: str = "",
    hardware: str = "",
    rates: RateTable | None = None,
    **used: Any,
) -> dict[str, Any]:
    """The cost fields of an inference call, by the rate in force at `at`; none where no price is known.

    `rates` are those of the model where they are known already; `used` is the call's other fields. Seconds of our own
    engine have a price without any rate: that of the settings.
    `cost_basis` says that the cost was worked out from a rate, so that a summary may work it out again.
    """
    table = rates if rates is not None else rate_table(organization_id=organization_id, models={model})
    rate = table.rate_at(at, provider=provider, model=model, hardware=hardware)
    if rate is not None:
        data = {**used, "provider": provider, "model": model, "hardware": hardware}
        reading = read_event(type=INFERENCE_CALL, customer=None, time=at, data=data)
        group = call_group(reading)
        fold_call(group, Change(1, 0, "", reading))
        return {"cost": rate.cost_of(group), "cost_currency": rate.currency, "cost_basis": "rate"}
    if provider == OWN_PROVIDER and used.get("compute_seconds") is not None:
        return dict(costs_of(str(used["compute_seconds"])))
    return {}


def costs_of(compute_seconds: str) -> Mapping[str, Any]:
    """The cost fields of an inference call on our own hardware, by the rate in the settings."""
    rate: Decimal = decimal_from(settings.COMPUTE_SECOND_COST)
    return {
        "cost": compute_cost(decimal_from(compute_seconds), rate=rate),
        "cost_currency": COST_CURRENCY,
    }
