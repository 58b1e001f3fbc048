"""When to try again what did not arrive."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

_MINUTE, _HOUR = 60, 3600

#: Seconds after each failed attempt of a webhook until the next: over three days in all, then it is given up.
WEBHOOK_SECONDS = (
    5,
    30,
    2 * _MINUTE,
    10 * _MINUTE,
    30 * _MINUTE,
    _HOUR,
    2 * _HOUR,
    4 * _HOUR,
    8 * _HOUR,
    12 * _HOUR,
    12 * _HOUR,
    12 * _HOUR,
    24 * _HOUR,
)

#: The same for mail: within a day.
MAIL_SECONDS = (_MINUTE, 5 * _MINUTE, 15 * _MINUTE, _HOUR, 3 * _HOUR, 6 * _HOUR, 12 * _HOUR)

#: A delay is that of the schedule, give or take this part of it: what failed together does not come back together.
JITTER = 0.2

#: A receiver is not waited for longer than this, whatever it asks for.
LONGEST_RETRY_AFTER = timedelta(hours=24)


def next_delay(
    *, failed: int, schedule: Sequence[int], chance: float, asked_for: timedelta | None = None
) -> timedelta | None:
    """How long to wait after the `failed`th failed attempt; None: give up.

    `chance` (0 to 1) places it within the jitter. What the receiver asked for is waited for where it is longer.
    """
    if failed > len(schedule):
        return None
    delay = timedelta(seconds=schedule[failed - 1] * (1 + JITTER * (2 * chance - 1)))
    return max(delay, min(asked_for or timedelta(0), LONGEST_RETRY_AFTER))


def retry_after(value: str | None, *, now: datetime) -> timedelta | None:
    """What a `Retry-After` header asks for: seconds or a date (RFC 9110, 10.2.3). None where it says nothing."""
    text = (value or "").strip()
    if text.isascii() and text.isdigit() and len(text) <= 9:
        return timedelta(seconds=int(text))
    try:
        at = parsedate_to_datetime(text)
    except (ValueError, TypeError, IndexError):
        return None
    return max((at if at.tzinfo else at.replace(tzinfo=UTC)) - now, timedelta(0))
