"""The thread that sends: batch after batch, in order, for as long as it takes."""

from __future__ import annotations

import logging
import random
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from taximeter.delivery.answers import Answer, Verdict
from taximeter.delivery.door import TIMED_OUT
from taximeter.delivery.outbox import Batch, Outbox, Refusal

logger = logging.getLogger("taximeter")

#: A server too slow for a batch gets smaller ones, but no smaller than this.
_SMALLEST_PART = 100

Post = Callable[[list[bytes]], Answer]


@dataclass
class Progress:
    """Counts since this process began. `problem` is why nothing goes out at the moment, if so."""

    stored: int = 0
    duplicates: int = 0
    refused: int = 0
    quarantined: int = 0
    requests: int = 0
    problem: str | None = None


@dataclass(frozen=True)
class Waits:
    """Seconds. A wait after failure n is drawn from 0 to `first` times 2**n, `longest` at most: full jitter, so that
    a thousand clients of a server that comes back do not all come at once."""

    first: float = 0.5
    longest: float = 60.0
    #: How long the thread rests when nothing is there to send: also how long an event waits at most to be sent.
    idle: float = 1.0

    def after(self, failures: int) -> float:
        ceiling: float = min(self.longest, self.first * 2 ** min(failures - 1, 30))
        return random.uniform(0, ceiling)  # noqa: S311 - jitter, no secret


class Sender:
    """Sends what `outbox` holds through `post`, in a daemon thread that starts when it is first needed.

    Waits are by the monotonic clock. A failure holds everything behind it, since it would meet the same fate, and
    keeps the order; an event that can never be stored is set aside and holds nothing.
    """

    def __init__(
        self, outbox: Outbox, post: Post, *, waits: Waits | None = None, progress: Progress | None = None
    ) -> None:
        self.progress = progress or Progress()
        self._outbox = outbox
        self._post = post
        self._waits = waits or Waits()
        self._thread: threading.Thread | None = None
        self._state = threading.Condition(threading.RLock())
        self._is_stopping = False
        self._is_hurried = False
        self._failures = 0
        self._tended_at = float("-inf")

    @property
    def is_running(self) -> bool:
        return self._thread is not None and self._thread.is_alive()

    def start(self) -> None:
        """Begins to send. Further calls do nothing. Where threads can no longer start, `flush` sends."""
        with self._state:
            if self.is_running or self._is_stopping:
                return
            self._thread = threading.Thread(target=self._run, name="taximeter-sender", daemon=True)
            try:
                self._thread.start()
            except RuntimeError:  # the interpreter is shutting down, or no thread is to be had
                self._thread = None

    def flush(self, timeout: float | None) -> bool:
        """Waits until everything recorded so far is dealt with; whether it is, `timeout` seconds later at most.

        A wait after failures is cut short once; a `Retry-After` is not.
        """
        mark = self._outbox.mark()
        if threading.current_thread() is self._thread:
            return self._outbox.is_done(mark)  # it cannot wait for itself
        deadline = None if timeout is None else time.monotonic() + timeout
        self.start()
        with self._state:
            self._is_hurried = True
            self._state.notify_all()
            while self.is_running and not self._outbox.is_done(mark):
                remaining = None if deadline is None else deadline - time.monotonic()
                if remaining is not None and remaining <= 0:
                    return False
                # Not for ever in one go: a thread that was killed by the interpreter's end notifies nobody.
                self._state.wait(0.2 if remaining is None else min(remaining, 0.2))
        if not self._outbox.is_done(mark):
            self._send_here(mark, deadline)
        return self._outbox.is_done(mark)

    def stop(self, timeout: float) -> bool:
        """Lets a request that is under way end, `timeout` seconds at most, and sends no more. Whether it ended."""
        with self._state:
            self._is_stopping = True
            self._state.notify_all()
            thread = self._thread
        if thread is None or thread is threading.current_thread():
            return True
        thread.join(timeout)
        return not thread.is_alive()

    def _run(self) -> None:
        while not self._is_stopping:
            try:
                self._tend()
                batch = self._outbox.next_batch()
                if batch:
                    self._deliver(batch)
                else:
                    self._rest(self._waits.idle)
            except Exception:  # noqa: PERF203 - a sender that stops silently loses everything after
                logger.exception("sending failed in a way nobody thought of; it goes on")
                self._rest(self._waits.longest / 10)

    def _tend(self) -> None:
        if time.monotonic() - self._tended_at >= 1:
            self._outbox.tend()
            self._tended_at = time.monotonic()

    def _send_here(self, mark: object, deadline: float | None) -> None:
        """The same in the caller's thread, where there is no other; gives up at the first failure."""
        while not self._outbox.is_done(mark) and (deadline is None or time.monotonic() < deadline):
            self._outbox.tend()
            batch = self._outbox.next_batch()
            if not batch or not self._deliver(batch, patient=False):
                return

    def _deliver(self, batch: Batch, *, patient: bool = True) -> bool:
        """Until all of `batch` is stored or set aside. False where it is not, because sending is to stop."""
        timeouts = 0
        while True:
            answer = self._post(list(batch.payloads))
            self.progress.requests += 1
            if answer.verdict is Verdict.STORED:
                self._note_success()
                self._settle(batch, answer)
                return True
            if answer.verdict is Verdict.SPLIT:
                self._note_success()
                if len(batch) == 1:
                    self._refuse(batch.payloads[0], Refusal(answer.code, answer.reason, answer.status))
                    self._advance(batch)
                    return True
                return self._deliver_halves(batch, patient=patient)
            self._note_failure(answer)
            if not patient or not self._pause(answer):
                return False
            timeouts += answer.code == TIMED_OUT
            if timeouts >= 2 and len(batch) > _SMALLEST_PART:
                return self._deliver_halves(batch, patient=patient)

    def _deliver_halves(self, batch: Batch, *, patient: bool) -> bool:
        """One after the other: their order stays."""
        half = len(batch) // 2
        first, second = batch.part(0, half), batch.part(half, len(batch))
        return self._deliver(first, patient=patient) and self._deliver(second, patient=patient)

    def _settle(self, batch: Batch, answer: Answer) -> None:
        for rejection in answer.receipt.rejected:
            self._refuse(batch.payloads[rejection.index], Refusal(rejection.code, rejection.detail, answer.status))
        for one in answer.receipt.quarantined:
            logger.warning("event %s is in quarantine at the server: %s (%s)", one.id, one.detail, one.code)
        self.progress.quarantined += len(answer.receipt.quarantined)
        self.progress.stored += answer.receipt.accepted
        self.progress.duplicates += answer.receipt.duplicates
        self._advance(batch)

    def _refuse(self, payload: bytes, refusal: Refusal) -> None:
        self._outbox.set_aside(payload, refusal)
        self.progress.refused += 1
        logger.warning("an event was refused and set aside: %s (%s)", refusal.detail, refusal.code)

    def _advance(self, batch: Batch) -> None:
        self._outbox.advance(batch)
        with self._state:
            self._state.notify_all()

    def _note_success(self) -> None:
        if self._failures:
            logger.info("events are delivered again")
        self._failures = 0
        self.progress.problem = None

    def _note_failure(self, answer: Answer) -> None:
        self._failures += 1
        if answer.reason != self.progress.problem:
            held = answer.verdict is Verdict.HOLD
            logger.warning("events wait until %s: %s", "this is put right" if held else "this passes", answer.reason)
        self.progress.problem = answer.reason

    def _pause(self, answer: Answer) -> bool:
        """Waits before the next attempt; whether there is to be one."""
        self._tend()
        if answer.retry_after is not None:
            return self._rest(answer.retry_after + random.uniform(0, self._waits.first), hurries=False)  # noqa: S311
        return self._rest(self._waits.after(self._failures))

    def _rest(self, seconds: float, *, hurries: bool = True) -> bool:
        """Sleeps, unless woken to stop (False) or, where it `hurries`, by a flush."""
        end = time.monotonic() + seconds
        with self._state:
            while not self._is_stopping and not (hurries and self._is_hurried):
                remaining = end - time.monotonic()
                if remaining <= 0:
                    break
                self._state.wait(remaining)
            if hurries:
                self._is_hurried = False
            return not self._is_stopping
