"""The sender of webhooks: takes what is due, attempts many at once, writes down what came of it.

Only its own thread touches the database; the others only send. Killed at any point it loses nothing: what it had taken
is due again when its lease is over, and may then arrive twice, with the same id.
"""

from __future__ import annotations

import time
import uuid
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from datetime import datetime

from kernel.clock import Clock
from notifications.domain.signing import signed_headers
from notifications.sending.requests import TOTAL_SECONDS, Answer, Attempt, Requests, Rules
from notifications.services.deliveries import Claimed, Outcome, claim_deliveries, record_outcomes
from notifications.services.distributing import distribute_events
from notifications.services.leases import release_lease, take_lease
from notifications.services.secrets import unsealed
from rest.encryption import SecretUnreadable

#: Seconds between two looks at what has ended, at most.
_GLANCE = 0.05

#: How often a sender says that it is alive: well within its lease.
_RENEW_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Terms:
    """How a sender works: the delays of retries, what may be asked, how many requests at once."""

    schedule: Sequence[int]
    rules: Rules
    at_once: int = 64

    @property
    def at_once_each(self) -> int:
        """Of one endpoint no more than half, so that a slow one does not hold up the others."""
        return max(1, self.at_once // 2)


def send_webhooks(*, terms: Terms, clock: Clock, seconds: float, senders: int = 1) -> int:
    """Send what is due until nothing is, or `seconds` are over; answers how many attempts that took.

    Of all processes at most `senders` do so at a time; where they do already, nothing is done.
    """
    holder = uuid.uuid4().hex
    places = (f"webhooks:{place}" for place in range(senders))
    name = next((one for one in places if take_lease(name=one, holder=holder, now=clock())), None)
    if name is None:
        return 0
    sender = _Sender(terms, clock)
    try:
        return sender.run(seconds, lambda: take_lease(name=name, holder=holder, now=clock()))
    finally:
        sender.close()
        release_lease(name=name, holder=holder)


@dataclass(slots=True)
class _Flight:
    claimed: Claimed
    began_at: datetime
    attempt: Attempt = field(default_factory=Attempt)


class _Sender:
    def __init__(self, terms: Terms, clock: Clock) -> None:
        self._terms, self._clock = terms, clock
        self._requests = Requests(terms.rules)
        self._threads = ThreadPoolExecutor(terms.at_once, thread_name_prefix="webhook")
        self._flights: dict[Future[Outcome], _Flight] = {}
        self._sent = 0

    def close(self) -> None:
        self._threads.shutdown(wait=True)
        self._requests.close()

    def run(self, seconds: float, stay: Callable[[], bool]) -> int:
        end = time.monotonic() + seconds
        renew_at = time.monotonic() + _RENEW_SECONDS
        is_over = False
        while True:
            if not is_over:
                distributed = distribute_events(now=self._clock())
                claimed = self._start_more()
                is_over = time.monotonic() >= end or not (distributed or claimed or self._flights)
            if is_over and not self._flights:
                return self._sent
            self._land()
            if time.monotonic() >= renew_at:
                renew_at = time.monotonic() + _RENEW_SECONDS
                is_over = is_over or not stay()

    def _start_more(self) -> int:
        """Begin as many attempts as there is room for; taking few at a time would cost more than it brings."""
        room = self._terms.at_once - len(self._flights)
        if room * 4 < self._terms.at_once:
            return 0
        busy = Counter(flight.claimed.endpoint_id for flight in self._flights.values())
        now = self._clock()
        for claimed in claim_deliveries(now=now, most=room, most_each=self._terms.at_once_each, busy=busy):
            flight = _Flight(claimed, now)
            self._flights[self._threads.submit(self._attempt, flight)] = flight
        return len(self._flights)

    def _attempt(self, flight: _Flight) -> Outcome:
        claimed, now = flight.claimed, self._clock()
        flight.attempt.started = time.monotonic()
        try:
            keys = [unsealed(key) for key in claimed.keys]
            signed = signed_headers(message_id=claimed.message_id, at=now, body=claimed.body, keys=keys)
        except SecretUnreadable as error:
            return Outcome(claimed, Answer(None, error.code, "", None, 0), now)
        headers = {"Content-Type": "application/json", "User-Agent": "Taximeter-Webhooks/1", **signed}
        body = claimed.body.encode()
        answer = self._requests.post(claimed.url, headers=headers, body=body, attempt=flight.attempt)
        return Outcome(claimed, answer, now)

    def _land(self) -> None:
        """Write down what has ended by now, and cut off what takes too long."""
        if not self._flights:
            return
        wait(self._flights, timeout=_GLANCE, return_when=FIRST_COMPLETED)
        ended = [future for future in self._flights if future.done()]
        record_outcomes([future.result() for future in ended], schedule=self._terms.schedule, now=self._clock())
        for future in ended:
            del self._flights[future]
        self._sent += len(ended)
        latest = time.monotonic() - TOTAL_SECONDS
        for flight in self._flights.values():
            if flight.attempt.started < latest and not flight.attempt.is_cut_off:
                flight.attempt.cut_off()
