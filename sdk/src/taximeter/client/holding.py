"""What is held for some work, until it is said what became of it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable, Mapping
from datetime import datetime
from types import TracebackType
from typing import Any

from taximeter.client import endpoints
from taximeter.client.connection import Connection
from taximeter.client.decoding import decode
from taximeter.client.errors import ClientError
from taximeter.client.models import Reservation, Verdict
from taximeter.events import Exact, exact

logger = logging.getLogger("taximeter")


class HeldReservation:
    """A reservation for a `with` or `async with` block, or to be committed or released by hand.

    A block that ends as it should commits what was asked for, unless it has said something else; one that an exception
    leaves releases it, and the exception goes on. What cannot be said then is logged: the reservation expires, and
    usage counts all the same. KeyboardInterrupt and SystemExit leave it to expire too, as a kill would.

    Where Taximeter could not be asked and the work is allowed for that, `id` is None, and nothing is sent.
    """

    def __init__(self, connection: Connection, verdict: Verdict, *, within: float) -> None:
        self.verdict = verdict
        self._connection = connection
        self._within = within
        self._is_said = False

    @property
    def id(self) -> str | None:
        """With it, `client.reservations` in another process says what became of the work."""
        return self.verdict.reservation.id if self.verdict.reservation else None

    @property
    def expires_at(self) -> datetime | None:
        """When it is free again by itself."""
        return self.verdict.reservation.expires_at if self.verdict.reservation else None

    def commit(
        self,
        *,
        quantity: Exact | None = None,
        amount: Exact | None = None,
        cost: Exact | None = None,
        events: Iterable[tuple[str, str] | Mapping[str, Any]] = (),
    ) -> Reservation | None:
        """The work is done. Give what was used where it differs from what was asked for.

        `events` are those that say so, as they are or as (source, id): it is held until all of them have arrived. Name
        them where events are sent in the background; without any they are taken to be there. Twice is once. Raises
        `Conflict` with the code `reservation_ended` where it has expired: what was used counts all the same.
        """
        self._is_said = True
        if self.id is None:
            return None
        body = committed(quantity, amount, cost, events)
        return send(self._connection, endpoints.COMMIT, self.id, body, within=self._within)

    def release(self) -> Reservation | None:
        """The work is not done and nothing of it was sent: it is free at once. Twice is once."""
        self._is_said = True
        if self.id is None:
            return None
        return send(self._connection, endpoints.RELEASE, self.id, {}, within=self._within)

    def __enter__(self) -> HeldReservation:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._is_said or isinstance(error, (KeyboardInterrupt, SystemExit)):
            return
        try:
            if error is None:
                self.commit()
            else:
                self.release()
        except ClientError as problem:  # the work is what the caller must see
            logger.warning("reservation %s is left to expire: %s", self.id, problem)

    async def __aenter__(self) -> HeldReservation:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await asyncio.to_thread(self.__exit__, kind, error, trace)


def committed(
    quantity: Exact | None,
    amount: Exact | None,
    cost: Exact | None,
    events: Iterable[tuple[str, str] | Mapping[str, Any]],
) -> dict[str, Any]:
    """A commit's body."""
    used = {"quantity": quantity, "amount": amount, "cost": cost}
    body: dict[str, Any] = {name: exact(value) for name, value in used.items() if value is not None}
    if named := [_named(one) for one in events]:
        body["events"] = named
    return body


def send(
    connection: Connection,
    action: endpoints.Action[Reservation],
    reservation: str,
    body: Mapping[str, Any],
    *,
    within: float | None = None,
) -> Reservation:
    """What became of the reservation."""
    return decode(Reservation, connection.post(action.path_of(reservation=reservation), body, within=within))


def _named(event: tuple[str, str] | Mapping[str, Any]) -> dict[str, str]:
    if isinstance(event, Mapping):
        event = (event.get("source", ""), event.get("id", ""))
    source, id = event
    if not source or not id:
        raise ValueError("an event is named by its source and its id")
    return {"source": source, "id": id}
