"""What a server's answer means for the events that were sent."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timezone
from email.utils import parsedate_to_datetime
from enum import Enum
from typing import Any

#: Longer than this no `Retry-After` is believed.
LONGEST_RETRY_AFTER = 3600.0


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
    #: Events that the server keeps and does not count until somebody releases them, such as those of a wrong clock.
    quarantined: list[Rejection] = field(default_factory=list)


class Verdict(Enum):
    """What to do next with the events of a request."""

    STORED = "stored"
    #: It may pass by itself: the server is busy, broken or cannot be reached.
    AGAIN = "again"
    #: Somebody has to do something (a key, a payment, an address); until then the events are kept.
    HOLD = "hold"
    #: The request can never succeed as it is. Smaller ones may, down to the event that is at fault.
    SPLIT = "split"


_AGAIN = {408, 425, 429}
_FINAL = {400, 413, 422}
#: What any proxy on the way may say of a request that is too large for it.
_TOO_LARGE = 413


@dataclass(frozen=True)
class Answer:
    """`retry_after` is in seconds; `receipt` is there where the verdict is STORED."""

    verdict: Verdict
    reason: str = ""
    code: str = ""
    status: int | None = None
    retry_after: float | None = None
    receipt: Receipt = field(default_factory=Receipt)


def verdict_of(status: int, *, code: str | None, events: int) -> Verdict:
    """What an answer other than 200 asks for, to a request of so many events.

    `code` is the one Taximeter gives with each of its refusals. Without it somebody on the way has answered, such as
    a proxy that was spoken to without TLS (400): that is no word on the events. What is not known to be final is
    held; nothing is given up by mistake.
    """
    if status in _AGAIN or status >= 500:
        return Verdict.AGAIN
    if status in _FINAL and (code or (status == _TOO_LARGE and events > 1)):
        return Verdict.SPLIT
    return Verdict.HOLD


def receipt_of(answer: Any, *, sent: int) -> Receipt:
    """The receipt in the JSON of a 200; `ValueError` or `KeyError` where it does not account for all `sent` events."""
    if not isinstance(answer, dict):
        raise ValueError("the answer is no receipt")
    rejected, quarantined = (
        [
            Rejection(int(one["index"]), one.get("id"), str(one["code"]), str(one.get("detail", "")))
            for one in answer.get(name, [])
        ]
        for name in ("rejected", "quarantined")
    )
    receipt = Receipt(int(answer["accepted"]), int(answer["duplicates"]), rejected, quarantined)
    if receipt.accepted + receipt.duplicates + len(rejected) + len(quarantined) != sent:
        raise ValueError("the receipt does not account for all events")
    if any(not 0 <= one.index < sent for one in [*rejected, *quarantined]):
        raise ValueError("the receipt names an event that was not sent")
    return receipt


def retry_after_seconds(headers: Mapping[str, str]) -> float | None:
    """`Retry-After` in seconds: a number or a date (RFC 9110, section 10.2.3); None where there is none.

    A date is taken relative to the answer's own `Date`, so that it does not matter what this machine's clock says.
    """
    text = headers.get("Retry-After")
    if not text:
        return None
    try:
        seconds = float(text)
    except ValueError:
        until = _date(text)
        if until is None:
            return None
        seconds = (until - (_date(headers.get("Date")) or datetime.now(timezone.utc))).total_seconds()
    return None if math.isnan(seconds) else min(max(0.0, seconds), LONGEST_RETRY_AFTER)


def _date(text: str | None) -> datetime | None:
    try:
        moment = parsedate_to_datetime(text) if text else None
    except ValueError:
        return None
    return moment if moment is not None and moment.tzinfo else None
