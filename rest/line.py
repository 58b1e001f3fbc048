"""Admission to work of which only so much is done at a time, shared fairly among those who ask.

Slots go round among groups (an organization is one; all who have not signed in are one together), and within a group
among its members (an organization's keys, visitors' addresses). So one key's sixty requests wait behind each other,
and a request of another organization waits for one of them at most. Where the line is full, the newest request of the
longest part of it makes room for a newcomer from a shorter one.
"""

from __future__ import annotations

import asyncio
import random
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Iterable
from typing import Generic, NamedTuple, TypeVar

from kernel.errors import UnavailableError

P = TypeVar("P")

#: The part of a new measurement in the average of how long a place is held.
_WEIGHT = 0.1


class Caller(NamedTuple):
    """For whom a request waits. Groups have equal shares, and members of a group equal shares of the group's."""

    group: str = ""
    member: str = ""


class Overloaded(UnavailableError):
    """More is asked of the server than it can do; nothing of the request was done. `wait`: seconds until it may be."""

    code = "overloaded"

    def __init__(self, detail: str, *, wait: float = 0.0) -> None:
        super().__init__(detail)
        # Those sent away together should not come back together.
        self.wait = 1 + int(wait + random.random() * (1 + wait))  # noqa: S311 - nothing secret


class _Ticket(Generic[P]):
    __slots__ = ("caller", "place", "returning", "wake")

    def __init__(self, caller: Caller, wake: Callable[[], object], *, returning: bool) -> None:
        self.caller, self.wake, self.returning = caller, wake, returning
        self.place: P | None = None


class Line(Generic[P]):
    """`places` of work, given out among the threads and coroutines of this process.

    A request is refused on arrival if, at the pace of the last ones, it would wait longer than `longest_wait` seconds,
    or if `most_waiting` wait already and none of them belongs to a group with more of them. The last `reserve` places
    are for groups that hold less than their share of those: a busy group leaves them free for the others.
    """

    def __init__(self, places: Iterable[P], *, most_waiting: int, longest_wait: float, reserve: int = 0) -> None:
        self._free = list(places)
        self._places = len(self._free) - reserve
        self._reserve, self._share = reserve, max(1, reserve // 4)
        self._most_waiting, self._longest_wait = most_waiting, longest_wait
        self._lock = threading.Lock()
        # Groups and their members in the order of their turns.
        self._waiting: dict[str, dict[str, deque[_Ticket[P]]]] = {}
        self._lengths: Counter[str] = Counter()
        self._holders: dict[int, str] = {}
        self._held: Counter[str] = Counter()
        self._held_seconds = 0.0

    def enter(self, caller: Caller = Caller(), *, returning: bool = False) -> P:  # noqa: B008 - an immutable value
        """A place, to be given back with `leave`; raises `Overloaded`. The thread waits.

        `returning`: the request was at work before and left its place to others for a while. It is not refused on
        arrival, and it is the next of its member.
        """
        turn = threading.Lock()
        turn.acquire()
        place, ticket = self._ask(caller, turn.release, returning=returning)
        if ticket is None:
            assert place is not None
            return place
        # The requests at work may take far longer than the ones before them.
        turn.acquire(timeout=3 * self._longest_wait)
        return self._outcome(ticket)

    async def admit(self, caller: Caller) -> P:
        """The same for a coroutine."""
        loop, turn = asyncio.get_running_loop(), asyncio.Event()
        place, ticket = self._ask(caller, lambda: loop.call_soon_threadsafe(turn.set), returning=False)
        if ticket is None:
            assert place is not None
            return place
        try:
            async with asyncio.timeout(3 * self._longest_wait):
                await turn.wait()
        except TimeoutError:
            pass
        except BaseException:
            self._abandon(ticket)
            raise
        return self._outcome(ticket)

    def leave(self, place: P, *, held_since: float) -> None:
        """Give `place` to the request whose turn it is; `held_since` is of `time.monotonic`."""
        held = time.monotonic() - held_since
        with self._lock:
            self._held_seconds += (held - self._held_seconds) * _WEIGHT
            self._take_back(place)
            self._serve()

    @property
    def waiting(self) -> int:
        """How many requests wait."""
        return self._lengths.total()

    def _ask(
        self, caller: Caller, wake: Callable[[], object], *, returning: bool
    ) -> tuple[P | None, _Ticket[P] | None]:
        with self._lock:
            if self._may_take(caller.group) and caller.group not in self._waiting:
                return self._give(caller.group), None
            if not returning:
                self._make_room(caller)
            ticket: _Ticket[P] = _Ticket(caller, wake, returning=returning)
            tickets = self._waiting.setdefault(caller.group, {}).setdefault(caller.member, deque())
            (tickets.appendleft if returning else tickets.append)(ticket)
            self._lengths[caller.group] += 1
            return None, ticket

    def _make_room(self, caller: Caller) -> None:
        wait = self._expected_wait(caller.group)
        if wait <= self._longest_wait and (self.waiting < self._most_waiting or self._push_out(caller.group)):
            return
        raise Overloaded("More is sent than the server can take in. Send the same again after a moment", wait=wait)

    def _push_out(self, group: str) -> bool:
        """Whether the newest request of the longest group was sent away in favour of one of `group`."""
        if not self._lengths:
            return False
        longest, length = self._lengths.most_common(1)[0]
        if length <= self._lengths[group] + 1:
            return False
        tickets = max(self._waiting[longest].values(), key=len)
        last = tickets[-1]
        if last.returning:
            return False
        self._remove(last)
        last.wake()
        return True

    def _may_take(self, group: str) -> bool:
        free = len(self._free)
        return free > self._reserve or (free > 0 and self._held[group] < self._share)

    def _give(self, group: str) -> P:
        place = self._free.pop()
        self._holders[id(place)] = group
        self._held[group] += 1
        return place

    def _take_back(self, place: P) -> None:
        group = self._holders.pop(id(place))
        self._held[group] -= 1
        if not self._held[group]:
            del self._held[group]
        self._free.append(place)

    def _serve(self) -> None:
        """Give out the free places, each group and each member of it in turn."""
        while (group := next((one for one in self._waiting if self._may_take(one)), None)) is not None:
            members = self._waiting[group]
            member, tickets = next(iter(members.items()))
            ticket = tickets[0]
            self._remove(ticket)
            if group in self._waiting:  # to the end of the round
                self._waiting[group] = self._waiting.pop(group)
                if member in members:
                    members[member] = members.pop(member)
            ticket.place = self._give(group)
            ticket.wake()

    def _remove(self, ticket: _Ticket[P]) -> None:
        group, member = ticket.caller
        members = self._waiting[group]
        members[member].remove(ticket)
        self._lengths[group] -= 1
        if not members[member]:
            del members[member]
        if not members:
            del self._waiting[group], self._lengths[group]

    def _expected_wait(self, group: str) -> float:
        """Seconds until a newcomer of `group` has its turn: in each round before it each group is served once."""
        rounds = self._lengths[group] + 1
        ahead = sum(min(length, rounds) for other, length in self._lengths.items() if other != group)
        return (rounds + ahead) * self._held_seconds / max(1, self._places)

    def _outcome(self, ticket: _Ticket[P]) -> P:
        with self._lock:
            if ticket.place is not None:
                return ticket.place
            if self._is_waiting(ticket):
                self._remove(ticket)
                raise Overloaded("The server is held up. Send the same again after a moment", wait=self._longest_wait)
        raise Overloaded("More is sent than the server can take in. Send the same again after a moment")

    def _abandon(self, ticket: _Ticket[P]) -> None:
        """The request is not waiting for its turn any longer."""
        with self._lock:
            if ticket.place is not None:
                self._take_back(ticket.place)
                self._serve()
            elif self._is_waiting(ticket):
                self._remove(ticket)

    def _is_waiting(self, ticket: _Ticket[P]) -> bool:
        return ticket in self._waiting.get(ticket.caller.group, {}).get(ticket.caller.member, ())
