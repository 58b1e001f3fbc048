"""Who is next: the customer who has had the least of the engine's time.

Start-time fair queueing (Goyal, Vin, Cheng, SIGCOMM 1996) over compute seconds: each customer has a
virtual time that grows by what its requests took, and the smallest one is served next; within a customer,
first come, first served. A customer who was away starts at the time of those who were not, so that nobody
saves up. Where the line is full, the newest request of the longest part of it makes room for a newcomer
from a shorter one.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from kernel.errors import TaximeterError, UnavailableError

#: How often a waiting request looks whether its client is still there, in seconds.
_LOOK_AROUND = 0.25
#: How many customers' times are remembered in a busy spell.
_MOST_REMEMBERED = 4096


class EngineBusy(TaximeterError):
    """The line is full; `retry_after` is when it may be worth to try again, in seconds."""

    code = "engine_busy"

    def __init__(self, retry_after: int) -> None:
        super().__init__("Too many requests are waiting for the engine")
        self.retry_after = retry_after


class QueueTimeout(UnavailableError):
    """The request waited longer than the engine lets one wait."""

    code = "queue_timeout"


@dataclass(eq=False)
class Ticket:
    """A place in line. `alone` says whether the request must begin with nothing else under way."""

    customer: str
    alone: Callable[[], bool]
    called: threading.Event = field(default_factory=threading.Event)
    pushed_out: bool = False
    spent: float = 0.0
    """Seconds that the request took, for its owner to say before it leaves."""


class Admission:
    """The line in front of the models."""

    def __init__(self, *, slots: int, limit: int, longest_wait: float) -> None:
        self._slots = slots
        self._limit = limit
        self._longest_wait = longest_wait
        self._lock = threading.Lock()
        self._waiting: dict[str, deque[Ticket]] = {}
        self._running: set[Ticket] = set()
        self._beginning: Ticket | None = None
        self._virtual: dict[str, float] = {}
        self._typical = 1.0

    @property
    def waiting(self) -> int:
        return sum(map(len, list(self._waiting.values())))

    @property
    def running(self) -> int:
        return len(self._running)

    def __len__(self) -> int:
        return self.waiting + self.running

    @contextmanager
    def turn(self, customer: str, *, alone: Callable[[], bool], gone: Callable[[], bool]) -> Iterator[Ticket | None]:
        """Waits for this request's turn; gives None where `gone` says that nobody waits for it any more.

        What must begin alone says with `begun` that it has. Raises `EngineBusy` or `QueueTimeout`.
        """
        ticket = Ticket(customer, alone)
        with self._lock:
            self._join(ticket)
            self._call_next()
        try:
            yield ticket if self._wait(ticket, gone) else None
        finally:
            with self._lock:
                self._leave(ticket)
                self._call_next()

    def begun(self, ticket: Ticket) -> None:
        """The request is under way: others may begin beside it."""
        with self._lock:
            if self._beginning is ticket:
                self._beginning = None
                self._call_next()

    def _join(self, ticket: Ticket) -> None:
        if self.waiting >= self._limit and (self._running or self._waiting):
            longest = max(self._waiting.values(), key=len, default=deque[Ticket]())
            if len(longest) <= len(self._waiting.get(ticket.customer, ())) + 1:
                raise EngineBusy(self._retry_after())
            last = longest.pop()
            last.pushed_out = True
            last.called.set()
        if ticket.customer not in self._waiting:
            started = [self._virtual[one.customer] - one.spent for one in self._running]
            floor = min([*started, *(self._virtual[customer] for customer in self._waiting)], default=0.0)
            self._virtual[ticket.customer] = max(self._virtual.get(ticket.customer, 0.0), floor)
        self._waiting.setdefault(ticket.customer, deque()).append(ticket)

    def _retry_after(self) -> int:
        return max(1, min(60, round(self._typical * self.waiting / self._slots)))

    def _wait(self, ticket: Ticket, gone: Callable[[], bool]) -> bool:
        deadline = time.monotonic() + self._longest_wait
        while not ticket.called.wait(_LOOK_AROUND):
            if gone():
                return False
            if time.monotonic() > deadline:
                raise QueueTimeout(f"The request waited longer than {self._longest_wait:.0f} s for the engine")
        if ticket.pushed_out:
            raise EngineBusy(self._retry_after())
        return True

    def _call_next(self) -> None:
        while self._beginning is None and len(self._running) < self._slots:
            customers = [customer for customer, line in self._waiting.items() if line]
            if not customers:
                return
            chosen = min(customers, key=lambda customer: self._virtual[customer])
            ticket = self._waiting[chosen][0]
            if ticket.alone():
                if self._running:
                    return
                self._beginning = ticket
            self._waiting[chosen].popleft()
            self._running.add(ticket)
            # Charged as a typical request until it is known what it took.
            ticket.spent = self._typical
            self._virtual[chosen] += self._typical
            ticket.called.set()

    def _leave(self, ticket: Ticket) -> None:
        if ticket in self._running:
            self._running.discard(ticket)
            if self._beginning is ticket:
                self._beginning = None
        elif ticket in self._waiting.get(ticket.customer, ()):
            self._waiting[ticket.customer].remove(ticket)
        if not self._waiting.get(ticket.customer):
            self._waiting.pop(ticket.customer, None)
        if not self._waiting and not self._running:
            self._virtual.clear()
        elif len(self._virtual) > _MOST_REMEMBERED:
            present = {*self._waiting, *(one.customer for one in self._running)}
            self._virtual = {customer: spent for customer, spent in self._virtual.items() if customer in present}

    def settle(self, ticket: Ticket, seconds: float) -> None:
        """Charges what the request took in place of what it was thought to take."""
        with self._lock:
            if ticket.customer in self._virtual:
                self._virtual[ticket.customer] += seconds - ticket.spent
            ticket.spent = seconds
            self._typical += (max(seconds, 0.001) - self._typical) / 8
