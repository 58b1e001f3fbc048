"""A recording process without a server for a long time, then with one: for the test and for the benchmark."""

from __future__ import annotations

import json
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from tests.sdk.processes import in_order_per_task, start
from tests.sdk.receiver import receiving
from tests.system import free_port

_RECORDER = """
import json, sys, time
from pathlib import Path
from taximeter import Meter, SpoolTransport
from taximeter.delivery.sender import Waits

def memory():
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096

address, spool, events = sys.argv[1], sys.argv[2], int(sys.argv[3])
waits = Waits(first=0.05, longest=0.5, idle=0.05)
transport = SpoolTransport(address, api_key="k", directory=spool, waits=waits, timeout=60)
meter = Meter(source="offline", transport=transport)
recorded = 0

def work(until):
    global recorded
    while recorded < until:
        with meter.task("t", customer="acme", agent="a", task_id=f"task-{recorded}") as task:
            for _ in range(4):
                with task.turn():
                    pass
            task.succeed()
        recorded += 5

work(min(10_000, events // 10))
before, began = memory(), time.perf_counter()
work(events)
seconds = time.perf_counter() - began
after, spooled = memory(), transport.directory.used_bytes()
print(json.dumps({"recorded": recorded, "before": before, "after": after, "spooled": spooled}), flush=True)
sys.stdin.readline()
done = meter.flush(900)
print(json.dumps({"done": done, "sending": memory(), "stats": vars(transport.stats())}), flush=True)
"""


@dataclass(frozen=True)
class Night:
    """Sizes in bytes of the recording process's memory: after its first events, its last one, and while it sent."""

    recorded: int
    arrived: int
    in_order: bool
    lost: int
    refused: int
    duplicates: int
    before: int
    after: int
    sending: int
    spooled: int
    seconds: float


def through_the_night(directory: Path, events: int) -> Night:
    """Records at least `events` with nobody listening; then the server comes up, and takes all there is."""
    port = free_port()
    arguments = [f"http://127.0.0.1:{port}", str(directory / "spool"), str(events)]
    recorder = start(sys.executable, "-c", _RECORDER, *arguments, pipes=True)
    assert recorder.stdin is not None
    assert recorder.stdout is not None
    try:
        told = json.loads(recorder.stdout.readline())
        with receiving(port) as receiver:
            receiver.keeps_batches = receiver.keeps_content = False
            began = time.monotonic()
            recorder.stdin.write(b"\n")
            recorder.stdin.flush()
            end = json.loads(recorder.stdout.readline())
            seconds = time.monotonic() - began
            assert recorder.wait(60) == 0
            ids = receiver.ids()
            duplicates = receiver.duplicates
    finally:
        recorder.kill()
        recorder.wait()
        recorder.stdin.close()
        recorder.stdout.close()
    assert end["done"], end
    stats = end["stats"]
    return Night(
        recorded=told["recorded"],
        arrived=len(ids),
        in_order=in_order_per_task(ids),
        lost=stats["lost"],
        refused=stats["refused"],
        duplicates=duplicates,
        before=told["before"],
        after=told["after"],
        sending=end["sending"],
        spooled=told["spooled"],
        seconds=seconds,
    )
