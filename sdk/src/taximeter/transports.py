"""Where events go: into memory, or over HTTP."""

from __future__ import annotations

import gzip
import json
import logging
import random
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timezone
from email.utils import parsedate_to_datetime
from typing import Any

from taximeter.errors import DeliveryError
from taximeter.events import Event
from taximeter.version import __version__

logger = logging.getLogger("taximeter")

#: The server's limit of events a request.
MAX_BATCH = 10_000
_LONGEST_WAIT = 60.0


class InMemoryTransport:
    """Keeps events in `events`, for tests and for looking at what would be sent."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self._lock = threading.Lock()

    def __call__(self, events: list[Event]) -> None:
        with self._lock:
            self.events.extend(events)

    def of_type(self, type: str) -> list[Event]:
        """The events of one type, in the order they were recorded."""
        return [event for event in self.events if event["type"] == type]


@dataclass(frozen=True)
class Rejection:
    """An event the server refused, at `index` of the batch, and why."""

    index: int
    id: str | None
    code: str
    detail: str


@dataclass(frozen=True)
class Receipt:
    """What became of the events of a call."""

    accepted: int = 0
    duplicates: int = 0
    rejected: list[Rejection] = field(default_factory=list)


class HttpTransport:
    """Sends batches to `POST {address}/api/v1/events`.

    429, 5xx and network errors are tried again, `attempts` times in all, waiting twice as long each time
    (with jitter) or as long as `Retry-After` says; sending twice is safe because events carry their
    identity. What cannot be delivered raises `DeliveryError` with the events. Events that the server
    refuses one by one are logged and returned, since sending them again would change nothing.
    """

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
        if not address.startswith(("http://", "https://")):
            raise ValueError(f"{address!r} is no http:// or https:// address")
        self.url = f"{address.rstrip('/')}/api/v1/events"
        self._api_key = api_key
        self._timeout = timeout
        self._attempts = attempts
        self._first_wait = first_wait
        self._sleep = sleep

    def __call__(self, events: list[Event]) -> Receipt:
        total = Receipt()
        for start in range(0, len(events), MAX_BATCH):
            try:
                part = self._deliver(events[start : start + MAX_BATCH])
            except DeliveryError as error:
                raise DeliveryError(str(error), events[start:], status=error.status) from error
            rejected = [Rejection(r.index + start, r.id, r.code, r.detail) for r in part.rejected]
            total = Receipt(
                total.accepted + part.accepted, total.duplicates + part.duplicates, [*total.rejected, *rejected]
            )
        for refusal in total.rejected:
            logger.warning("event %s was refused: %s (%s)", refusal.id, refusal.detail, refusal.code)
        return total

    def _deliver(self, events: list[Event]) -> Receipt:
        body = gzip.compress(json.dumps(events, separators=(",", ":")).encode(), compresslevel=5, mtime=0)
        for attempt in range(1, self._attempts + 1):
            try:
                return self._post(body)
            except _Refused as refused:  # noqa: PERF203 - trying again is what the loop is for
                if not refused.transient or attempt == self._attempts:
                    raise DeliveryError(refused.reason, status=refused.status) from None
                self._sleep(self._wait(attempt, refused.retry_after))
        raise AssertionError("attempts must be at least 1")

    def _wait(self, attempt: int, retry_after: float | None) -> float:
        if retry_after is not None:
            return min(retry_after, _LONGEST_WAIT)
        longest: float = min(self._first_wait * 2 ** (attempt - 1), _LONGEST_WAIT)
        return longest * random.uniform(0.5, 1.0)  # noqa: S311 - jitter, no secret

    def _post(self, body: bytes) -> Receipt:
        headers = {
            "Authorization": f"Bearer {self._api_key}",
            "Content-Type": "application/cloudevents-batch+json",
            "Content-Encoding": "gzip",
            "User-Agent": f"taximeter-python/{__version__}",
        }
        request = urllib.request.Request(self.url, data=body, headers=headers, method="POST")  # noqa: S310
        try:
            with urllib.request.urlopen(request, timeout=self._timeout) as response:  # noqa: S310
                return _receipt(json.load(response))
        except urllib.error.HTTPError as error:
            with error:
                raise _Refused(
                    f"the server answered {error.code}: {error.read(2000).decode(errors='replace')}",
                    status=error.code,
                    transient=error.code == 429 or error.code >= 500,
                    retry_after=_seconds(error.headers.get("Retry-After")),
                ) from None
        except (OSError, ValueError, KeyError) as error:
            # No whole answer: the batch may or may not be stored, and sending it again is safe.
            raise _Refused(f"no answer from {self.url}: {error}", transient=True) from error


class _Refused(Exception):
    def __init__(
        self, reason: str, *, transient: bool, status: int | None = None, retry_after: float | None = None
    ) -> None:
        super().__init__(reason)
        self.reason = reason
        self.transient = transient
        self.status = status
        self.retry_after = retry_after


def _receipt(answer: dict[str, Any]) -> Receipt:
    rejected = [Rejection(r["index"], r.get("id"), r["code"], r.get("detail", "")) for r in answer.get("rejected", [])]
    return Receipt(answer["accepted"], answer["duplicates"], rejected)


def _seconds(retry_after: str | None) -> float | None:
    """`Retry-After` in seconds: a number or a date (RFC 9110, section 10.2.3); None where there is none."""
    if not retry_after:
        return None
    try:
        return max(0.0, float(retry_after))
    except ValueError:
        pass
    try:
        until = parsedate_to_datetime(retry_after)
    except ValueError:
        return None
    return max(0.0, (until - datetime.now(timezone.utc)).total_seconds()) if until.tzinfo else None
