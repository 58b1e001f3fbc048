"""Asking before acting: may this customer's agent go on?"""

from __future__ import annotations

import logging
import uuid
from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Literal

from taximeter.client import endpoints
from taximeter.client.connection import Connection
from taximeter.client.decoding import decode
from taximeter.client.errors import NoAnswer, RateLimited, ServerError
from taximeter.client.holding import HeldReservation
from taximeter.client.models import Verdict
from taximeter.client.models.budgets import unreachable
from taximeter.events import Exact, exact
from taximeter.fields import agent_fields

logger = logging.getLogger("taximeter")

#: What a check comes to where Taximeter cannot be asked.
OnUnreachable = Literal["refuse", "allow", "raise"]
_CHOICES = ("refuse", "allow", "raise")
_SECOND = timedelta(seconds=1)


class Asking:
    """What a client asks of budgets and entitlements, with a key of the scope `ingest` or `write`."""

    def __init__(self, connection: Connection, *, check_timeout: float, on_unreachable: OnUnreachable) -> None:
        if check_timeout <= 0:
            raise ValueError("check_timeout is a number of seconds above 0")
        self._connection = connection
        self._check_timeout = check_timeout
        self._on_unreachable = _chosen(on_unreachable)

    def check(
        self,
        customer: str | None = None,
        *,
        agent: str | None = None,
        feature: str | None = None,
        meter: str | None = None,
        quantity: Exact = 1,
        amount: Exact | None = None,
        cost: Exact | None = None,
        dimensions: Mapping[str, str] | None = None,
        timeout: float | None = None,
        on_unreachable: OnUnreachable | None = None,
    ) -> Verdict:
        """Whether this may be done as things stand; nothing is held for it, see `reserve`.

            if not client.check("acme", agent="support@3"): ...

        `feature` or `meter` is what will be used, `quantity` how much of it; with neither, no budget that concerns the
        customer and the agent may be used up. `amount` is what the customer is charged for it at most, `cost` what it
        costs the vendor, `dimensions` what is known of the usage to come. Only a customer's own key leaves out
        `customer`. Where Taximeter does not answer within `timeout` seconds, all attempts together, the verdict is what
        `on_unreachable` says; a mistake in the question or the key raises an `ApiError` all the same.
        """
        body = _asked(customer, agent, feature, meter, quantity, amount, cost, dimensions)
        return self._verdict(body, timeout, on_unreachable)

    def reserve(
        self,
        customer: str | None = None,
        *,
        agent: str | None = None,
        feature: str | None = None,
        meter: str | None = None,
        quantity: Exact = 1,
        amount: Exact | None = None,
        cost: Exact | None = None,
        dimensions: Mapping[str, str] | None = None,
        lifetime: timedelta = timedelta(minutes=5),
        idempotency_key: str | None = None,
        timeout: float | None = None,
        on_unreachable: OnUnreachable | None = None,
    ) -> HeldReservation:
        """The same, and what is asked for is held until the work is done or not; raises `NotAllowed`.

            with client.reserve("acme", agent="support@3", meter="turns") as held:
                with task.turn() as turn: ...
                held.commit(events=[turn.event])

        Sent again after a lost answer it reserves once. Give an `idempotency_key` that names the work to have it so
        when a process that died does the work again, within a day. After `lifetime`, a day at most, it is free again.
        """
        body = _asked(customer, agent, feature, meter, quantity, amount, cost, dimensions)
        body |= {"reserve": True, "lifetime_seconds": _whole_seconds(lifetime)}
        verdict = self._verdict(body, timeout, on_unreachable, idempotency_key or uuid.uuid4().hex)
        within = timeout if timeout is not None else self._check_timeout
        return HeldReservation(self._connection, verdict.require(), within=within)

    def _verdict(
        self,
        body: Mapping[str, Any],
        timeout: float | None,
        on_unreachable: OnUnreachable | None,
        idempotency_key: str | None = None,
    ) -> Verdict:
        choice = self._on_unreachable if on_unreachable is None else _chosen(on_unreachable)
        try:
            answer = self._connection.post(
                endpoints.CHECK.path,
                body,
                within=timeout if timeout is not None else self._check_timeout,
                idempotency_key=idempotency_key,
            )
        except (NoAnswer, RateLimited, ServerError) as error:
            if choice == "raise":
                raise
            verdict = unreachable(error, allowed=choice == "allow")
        else:
            return decode(Verdict, answer)
        logger.warning("%s; the work is %s", verdict.detail, "allowed" if verdict.allowed else "refused")
        return verdict


def _asked(
    customer: str | None,
    agent: str | None,
    feature: str | None,
    meter: str | None,
    quantity: Exact,
    amount: Exact | None,
    cost: Exact | None,
    dimensions: Mapping[str, str] | None,
) -> dict[str, Any]:
    """A check's body. Budgets are an agent's, whatever its version."""
    if feature is not None and meter is not None:
        raise ValueError("a check is of a feature or of a meter, not of both")
    body = {
        "customer": customer,
        "agent": None if agent is None else agent_fields(agent)["agent"],
        "feature": feature,
        "meter": meter,
        "quantity": exact(quantity),
        "amount": None if amount is None else exact(amount),
        "cost": None if cost is None else exact(cost),
        "dimensions": dict(dimensions) if dimensions else None,
    }
    return {name: value for name, value in body.items() if value is not None}


def _whole_seconds(lifetime: timedelta) -> int:
    if lifetime < _SECOND:
        raise ValueError("lifetime is at least a second")
    return lifetime // _SECOND


def _chosen(choice: OnUnreachable) -> OnUnreachable:
    if choice not in _CHOICES:
        raise ValueError(f"on_unreachable is one of {', '.join(_CHOICES)}")
    return choice
