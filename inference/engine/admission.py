"""The order of requests: next is the organization with the least of the engine's time, and its customer with the least.

Start-time fair queueing (Goyal, Vin, Cheng, SIGCOMM 1996) over compute seconds, on two levels: each organization, and
each customer within it, has a virtual time that grows by what its requests took, and the smallest one is served next;
within a customer, first come, first served. So an organization with a thousand customers has the share of one with a
single customer. Those who were away start at the time of those who were not, so that nobody saves up. Where the line
is full, the newest request of the organization, or else the customer, with the most in it makes room for a newcomer.
"""

from __future__ import annotations

import threading
import time
from collections import Counter, deque
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
    """A place in line. `alone` says whether the request must begin with nothing else under way.

    `customer` is `organization/customer`; one without a slash is an organization by itself.
    """

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
            last = self._longest_beside(ticket.customer).pop()
            last.pushed_out = True
            last.called.set()
            self._forget_if_empty(last.customer)
        organization = _organization_of(ticket.customer)
        organizations = {_organization_of(customer) for customer in self._waiting}
        if organization not in organizations:
            self._catch_up(organization, organizations, _organization_of)
        if ticket.customer != organization and ticket.customer not in self._waiting:
            siblings = {customer for customer in self._waiting if _organization_of(customer) == organization}
            self._catch_up(
                ticket.customer,
                siblings,
                lambda customer: customer if _organization_of(customer) == organization else None,
            )
        self._waiting.setdefault(ticket.customer, deque()).append(ticket)

    def _catch_up(self, name: str, waiting: set[str], level_of: Callable[[str], str | None]) -> None:
        """`name` starts no earlier than the others of its level, who wait or are at work."""
        started = [
            self._virtual[level] - one.spent for one in self._running if (level := level_of(one.customer)) is not None
        ]
        floor = min([*started, *(self._virtual[other] for other in waiting)], default=0.0)
        self._virtual[name] = max(self._virtual.get(name, 0.0), floor)

    def _longest_beside(self, customer: str) -> deque[Ticket]:
        """The requests out of which the last makes room for one of `customer`; raises `EngineBusy` where none does."""
        lengths: Counter[str] = Counter()
        for other, tickets in self._waiting.items():
            lengths[_organization_of(other)] += len(tickets)
        own = _organization_of(customer)
        most = max(lengths, key=lambda one: lengths[one], default=own)
        if lengths[most] <= lengths[own] + 1:
            most = own
        of_most = {other: tickets for other, tickets in self._waiting.items() if _organization_of(other) == most}
        longest = max(of_most.values(), key=len, default=deque[Ticket]())
        if most == own and len(longest) <= len(self._waiting.get(customer, ())) + 1:
            raise EngineBusy(self._retry_after())
        return longest

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
            least = _organization_of(min(customers, key=lambda one: self._virtual[_organization_of(one)]))
            of_least = [one for one in customers if _organization_of(one) == least]
            chosen = min(of_least, key=lambda one: self._virtual[one])
            ticket = self._waiting[chosen][0]
            if ticket.alone():
                if self._running:
                    return
                self._beginning = ticket
            self._waiting[chosen].popleft()
            self._running.add(ticket)
            # Charged as a typical request until it is known what it took.
            ticket.spent = self._typical
            self._charge(chosen, self._typical)
            ticket.called.set()

    def _leave(self, ticket: Ticket) -> None:
        if ticket in self._running:
            self._running.discard(ticket)
            if self._beginning is ticket:
                self._beginning = None
        elif ticket in self._waiting.get(ticket.customer, ()):
            self._waiting[ticket.customer].remove(ticket)
        self._forget_if_empty(ticket.customer)
        if not self._waiting and not self._running:
            self._virtual.clear()
        elif len(self._virtual) > _MOST_REMEMBERED:
            present = {*self._waiting, *(one.customer for one in self._running)}
            present |= {_organization_of(customer) for customer in present}
            self._virtual = {customer: spent for customer, spent in self._virtual.items() if customer in present}

    def _forget_if_empty(self, customer: str) -> None:
        if not self._waiting.get(customer):
            self._waiting.pop(customer, None)

    def _charge(self, customer: str, seconds: float) -> None:
        for level in {customer, _organization_of(customer)}:
            if level in self._virtual:
                self._virtual[level] += seconds

    def settle(self, ticket: Ticket, seconds: float) -> None:
        """Charges what the request took in place of what it was thought to take."""
        with self._lock:
            self._charge(ticket.customer, seconds - ticket.spent)
            ticket.spent = seconds
            self._typical += (max(seconds, 0.001) - self._typical) / 8


def _organization_of(customer: str) -> str:
    return customer.partition("/")[0]
