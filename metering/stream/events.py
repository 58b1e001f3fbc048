"""Server-sent events without a connection held open.

A reply carries what is new, if anything, and ends. Its `retry` says after how many milliseconds to ask again, which
every EventSource does by itself, with the id of what it has in `Last-Event-ID` (HTML Living Standard, 9.2). So a
client occupies a thread for the moment of a reply only.
"""

from __future__ import annotations

import random
import threading
import time

from django.http import HttpRequest, HttpResponse

from metering.stream.answers import Answer

#: How soon a client asks again, in seconds, while there are few.
SOONEST, LATEST = 2.0, 30.0
#: About how many replies a second one process gives before it asks its clients to come less often.
MOST_REPLIES = 60
_WINDOW = 2.0


class Pace:
    """How long clients are to wait, so that a process gives about `MOST_REPLIES` a second however many they are."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._since, self._replies, self._wait = time.monotonic(), 0, SOONEST

    def next_wait(self, now: float | None = None) -> float:
        """Count one reply; answers the seconds until the client should ask again."""
        now = time.monotonic() if now is None else now
        with self._lock:
            self._replies += 1
            elapsed = now - self._since
            if elapsed >= _WINDOW:
                clients = self._replies / elapsed * self._wait
                self._wait = min(LATEST, max(SOONEST, clients / MOST_REPLIES))
                self._since, self._replies = now, 0
            return self._wait


pace = Pace()


def event_stream(request: HttpRequest, answer: Answer, *, event: str) -> HttpResponse:
    """`answer` as an event named `event` for a client that does not have it, and nothing for one that has."""
    # Spread out, so that clients who came at once do not always come at once.
    wait = int(1000 * pace.next_wait() * random.uniform(0.9, 1.1))  # noqa: S311 - nothing secret
    parts = [b"retry: %d\n" % wait]
    if request.headers.get("Last-Event-ID") == answer.tag:
        parts.append(b": nothing new\n")
    else:
        parts.append(b"id: %s\nevent: %s\n" % (answer.tag.encode(), event.encode()))
        parts += [b"data: %s\n" % line for line in answer.body.splitlines() or [b""]]
    headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    return HttpResponse(b"".join([*parts, b"\n"]), content_type="text/event-stream", headers=headers)
