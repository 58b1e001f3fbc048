"""Whose processor time it was, where requests are worked on side by side.

The processor time of the process goes into a pool while any request is under way. A request that ends takes
out of it the share that its work has in all the work not yet paid for; the last one takes what is left. So
the parts sum to the whole, exactly, and a request alone has all of it, whatever the costs are said to be.

Work is counted in tokens, a prompt's and an answer's each at their own cost (`UnitCosts`), as the two
differ by the factor of a batch. The costs matter in relation only: what is shared out is always measured.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class UnitCosts:
    """What a token takes to read and to write, in any unit. The default is a small model's on one core."""

    prompt: float = 7.7
    output: float = 20.0

    def work(self, *, prompt_tokens: int, output_tokens: int) -> float:
        return prompt_tokens * self.prompt + output_tokens * self.output


class Share:
    """One request's part of the pool. `work` is what was done for it up to now."""

    def __init__(self, costs: UnitCosts) -> None:
        self.costs = costs
        self.work = 0.0


class Apportionment:
    """The pool. All times are nanoseconds of the process's processor time, read by the caller."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._running: set[Share] = set()
        self._pool = 0
        self._read_at = 0

    @property
    def running(self) -> int:
        return len(self._running)

    def begin(self, costs: UnitCosts, *, at: int) -> Share:
        share = Share(costs)
        with self._lock:
            self._fill(at)
            self._running.add(share)
        return share

    def advance(self, share: Share, *, prompt_tokens: int, output_tokens: int, at: int) -> int:
        """Notes what was done for `share` up to now; returns what it would pay if it ended here."""
        with self._lock:
            self._fill(at)
            share.work = share.costs.work(prompt_tokens=prompt_tokens, output_tokens=output_tokens)
            return self._due(share)

    def end(self, share: Share, *, at: int) -> int:
        """What `share` pays; it is no part of the pool any more."""
        with self._lock:
            self._fill(at)
            due = self._due(share)
            self._pool -= due
            self._running.discard(share)
            return due

    def _fill(self, at: int) -> None:
        if self._running:
            self._pool += max(0, at - self._read_at)
        self._read_at = max(at, self._read_at)

    def _due(self, share: Share) -> int:
        if len(self._running) == 1:
            return self._pool
        whole = sum(one.work for one in self._running)
        return round(self._pool * share.work / whole) if whole else 0
