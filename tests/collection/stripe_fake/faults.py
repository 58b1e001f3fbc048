"""What may go wrong between a client and Stripe."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from enum import StrEnum


class Fault(StrEnum):
    #: The connection ends and nothing was done.
    CUT_BEFORE = "cut_before"
    #: It was done, and the connection ends without an answer: a time-out looks the same.
    CUT_AFTER = "cut_after"
    #: 429: nothing was done, and the key is not used up.
    TOO_MANY = "too_many"
    #: 500 before anything was done; the key remembers the error.
    ERROR_BEFORE = "error_before"
    #: It was done, and yet 500 is answered, and remembered by the key.
    ERROR_AFTER = "error_after"
    #: 503 from something in front of the API: the key never arrived.
    UNAVAILABLE = "unavailable"


@dataclass
class Hold:
    """A request that is kept waiting: `reached` is set when it is there, and it goes on once `release` is."""

    moment: str
    reached: threading.Event = field(default_factory=threading.Event)
    release: threading.Event = field(default_factory=threading.Event)

    def wait(self) -> None:
        self.reached.set()
        self.release.wait(60)
