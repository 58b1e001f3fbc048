"""Delivers in the caller's thread."""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Callable

from taximeter.delivery.answers import Receipt, Rejection, Verdict
from taximeter.delivery.door import Door
from taximeter.encoding import encode_event
from taximeter.errors import DeliveryError
from taximeter.events import Event

logger = logging.getLogger("taximeter")

#: The server's limit of events a request.
MAX_BATCH = 10_000
_LONGEST_WAIT = 60.0


class HttpTransport:
    """Sends batches to `POST {address}/api/v1/events` and returns when they are stored. For scripts and imports.

    429, 5xx and network errors are tried again, `attempts` times in all, waiting twice as long each time
    (with jitter) or as long as `Retry-After` says; sending twice is safe because events carry their
    identity. What cannot be delivered raises `DeliveryError` with the events. Events that the server
    refuses one by one are logged and returned, since sending them again would change nothing.
    """

    holds_tasks = True

    def __init__(
        self,
        address: str,
        *,
        api_key: str,
        timeout: float = 10.0,
        attempts: int = 5,
        first_wait: float = 0.5,
        sleep: Callable[[float], object] = time.sleep,
    ) -> None:
        if attempts < 1:
            raise ValueError("attempts must be at least 1")
        self._door = Door(address, api_key=api_key, timeout=timeout)
        self._attempts = attempts
        self._first_wait = first_wait
        self._sleep = sleep

    @property
    def address(self) -> str:
        """The server events go to."""
        return self._door.address

    def __call__(self, events: list[Event]) -> Receipt:
        total = Receipt()
        for start in range(0, len(events), MAX_BATCH):
            try:
                part = self._deliver(events[start : start + MAX_BATCH])
            except DeliveryError as error:
                raise DeliveryError(str(error), events[start:], status=error.status) from error
            total = Receipt(
                total.accepted + part.accepted,
                total.duplicates + part.duplicates,
                [*total.rejected, *_moved(part.rejected, start)],
                [*total.quarantined, *_moved(part.quarantined, start)],
            )
        for refusal in total.rejected:
            logger.warning("event %s was refused: %s (%s)", refusal.id, refusal.detail, refusal.code)
        for one in total.quarantined:
            logger.warning("event %s is in quarantine: %s (%s)", one.id, one.detail, one.code)
        return total

    def _deliver(self, events: list[Event]) -> Receipt:
        payloads = [encode_event(event) for event in events]
        for attempt in range(1, self._attempts + 1):
            answer = self._door.post(payloads)
            if answer.verdict is Verdict.STORED:
                return answer.receipt
            if answer.verdict is not Verdict.AGAIN or attempt == self._attempts:
                break
            self._sleep(self._wait(attempt, answer.retry_after))
        raise DeliveryError(answer.reason, status=answer.status)

    def _wait(self, attempt: int, retry_after: float | None) -> float:
        if retry_after is not None:
            return min(retry_after, _LONGEST_WAIT)
        longest: float = min(self._first_wait * 2 ** (attempt - 1), _LONGEST_WAIT)
        return longest * random.uniform(0.5, 1.0)  # noqa: S311 - jitter, no secret


def _moved(told: list[Rejection], by: int) -> list[Rejection]:
    """What was told of a part of a batch, with places in the whole."""
    return [Rejection(one.index + by, one.id, one.code, one.detail) for one in told]
