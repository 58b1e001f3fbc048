"""How soon the engine serves again after it was killed: what whoever calls the door sees of it.

    python -m bench recovery [ROUNDS]

The web server as in production and the engine behind it, with its model loaded. While an answer is streamed, the
engine is killed (SIGKILL); from then on the door is asked for one token again and again, until it answers.
"""

from __future__ import annotations

import http.client
import os
import signal
import statistics
import threading
import time

from bench.door import PROMPTS, Place, door_on, family
from bench.setting import database


def main(rounds: int = 10) -> None:
    with database() as services:
        from accounts.facade import create_api_key, create_organization  # noqa: PLC0415 - Django is set up only now

        _, secret = create_api_key(organization=create_organization(name="Bench"), scopes=["ingest"])
        with door_on(services, secret) as door:
            door.measure(PROMPTS[:1], 2)
            waits = sorted(_back_after_a_kill(door) for _ in range(rounds))
    print(f"{rounds} kills while an answer was streamed, until the door answers again")
    print(f"  median {statistics.median(waits):.2f} s, soonest {waits[0]:.2f}, latest {waits[-1]:.2f}")


def _back_after_a_kill(door: Place) -> float:
    """Seconds from the kill to the end of the next answer."""
    streamed = threading.Thread(target=_asks, args=(door, 400))
    streamed.start()
    time.sleep(1)
    _, engine = family(door.engine)
    os.kill(engine, signal.SIGKILL)
    died = time.perf_counter()
    while not _asks(door, 1):
        time.sleep(0.02)
    seconds = time.perf_counter() - died
    streamed.join()
    return seconds


def _asks(door: Place, tokens: int) -> bool:
    """Whether an answer came, whole or broken off later."""
    try:
        door.chat(PROMPTS[0], tokens)
    except (AssertionError, OSError, http.client.HTTPException):
        return False
    return True
