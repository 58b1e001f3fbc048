"""One process that sends what waits in its spool. One process of `python -m bench sdk`.

python -m bench.sdk_sending PORT SPOOL EVENTS
"""

from __future__ import annotations

import json
import logging
import os
import sys
import time
from pathlib import Path

from taximeter import Meter, SpoolTransport
from taximeter.delivery.sender import Waits


def record(meter: Meter, events: int) -> None:
    """Tasks of two turns with a call each: five events."""
    for _ in range(events // 5):
        with meter.task("bench", customer="acme", agent="support@3") as task:
            for _ in range(2):
                with task.turn(initiator="human") as turn:
                    turn.inference(model="smollm2-135m", input_tokens=410, output_tokens=58, compute_seconds="0.74")
            task.succeed()


def send(port: int, spool: str, events: int) -> None:
    logging.disable(logging.CRITICAL)  # the first spool has nobody to send to, and would say so
    key = os.environ["TAXIMETER_API_KEY"]
    waits = Waits(idle=0.02)
    away = SpoolTransport("http://127.0.0.1:1", api_key=key, directory=Path(spool, "a"), waits=Waits(first=600))
    record(Meter(source="bench", transport=away), events)
    away.close(0)

    transport = SpoolTransport(
        f"http://127.0.0.1:{port}", api_key=key, directory=Path(spool, "a"), waits=waits, timeout=60
    )
    began, worked = time.perf_counter(), time.process_time()
    assert transport.drain(600)
    seconds, processor = time.perf_counter() - began, time.process_time() - worked
    stats = transport.stats()
    transport.close()

    both = SpoolTransport(f"http://127.0.0.1:{port}", api_key=key, directory=Path(spool, "b"), waits=waits, timeout=60)
    meter = Meter(source="bench", transport=both)
    began = time.perf_counter()
    record(meter, events)
    assert meter.flush(600)
    seconds_of_both = time.perf_counter() - began
    assert both.stats().stored == events // 5 * 5
    meter.close()
    told = {
        "speed": events / seconds,
        "processor": processor / events * 1e6,
        "stored": stats.stored,
        "duplicates": stats.duplicates,
        "both": events / seconds_of_both,
    }
    print(json.dumps(told))


if __name__ == "__main__":
    send(int(sys.argv[1]), sys.argv[2], int(sys.argv[3]))
