"""A process that records until it is killed, and notes each event once its call has returned.

    python -m tests.sdk.recorder URL SPOOL NOTES NAME [TURNS [START]]

NOTES gets the ids of what was recorded, in order, one a line. The tasks of `NAME` are `NAME-0`, `NAME-1`, ….
"""

from __future__ import annotations

import os
import sys
import time

from taximeter import Meter, SpoolTransport
from taximeter.delivery.sender import Waits

QUICK = Waits(first=0.02, longest=0.2, idle=0.01)


def record_until_killed(address: str, spool: str, notes: str, name: str, turns: int = 1 << 60) -> None:
    transport = SpoolTransport(
        address, api_key=os.environ.get("TAXIMETER_API_KEY", "k"), directory=spool, waits=QUICK, adopt_every=0.2
    )
    transport.directory.segment_bytes = int(os.environ.get("SEGMENT_BYTES", transport.directory.segment_bytes))
    meter = Meter(source="recorder", transport=transport)
    file = os.open(notes, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    done = number = 0
    while done < turns:
        with meter.task("t", customer="acme", agent="a", task_id=f"{name}-{number}") as task:
            for _ in range(5):
                with task.turn() as turn:
                    os.write(file, f"{turn.inference(model='m', input_tokens=1, output_tokens=2)}\n".encode())
                    os.write(file, f"{turn.decision('route', choice='a')}\n".encode())
                os.write(file, f"{turn.turn_id}\n".encode())
                done += 1
                time.sleep(float(os.environ.get("PAUSE", "0")))
            task.succeed()
        os.write(file, f"{task.task_id}/task\n".encode())
        number += 1
    meter.flush(60)


if __name__ == "__main__":
    record_until_killed(*sys.argv[1:5], *map(int, sys.argv[5:6]))
