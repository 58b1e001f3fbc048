"""Starting, killing and looking after processes that record."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from taximeter.spool.directory import SpoolDirectory
from taximeter.spool.outbox import SpoolOutbox

from launcher.paths import ROOT

ENVIRONMENT = os.environ | {"PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "sdk" / "src")])}


def start_recorder(
    address: str, spool: Path, notes: Path, name: str, turns: int | None = None, **environment: str
) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "tests.sdk.recorder", address, str(spool), str(notes), name]
    return start(*command, *([] if turns is None else [str(turns)]), **environment)


def start(*command: str, pipes: bool = False, **environment: str) -> subprocess.Popen[bytes]:
    """A process at the project's root; with `pipes`, its input and output are the caller's."""
    pipe = subprocess.PIPE if pipes else None
    return subprocess.Popen(command, cwd=ROOT, env=ENVIRONMENT | environment, stdin=pipe, stdout=pipe)


def flush(address: str, spool: Path, key: str = "k") -> None:
    """Somebody sends what the dead have left: all of it."""
    command = ["-m", "taximeter", "flush", "--spool", str(spool), "--url", address]
    assert start(sys.executable, *command, TAXIMETER_API_KEY=key).wait(90) == 0
    assert not list(spool.glob("*/*.log"))


def run(code: str, *arguments: str, seconds: float = 60, **environment: str) -> str:
    """Runs Python code in a process of its own to its end, and answers what it printed."""
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments],
        cwd=ROOT,
        env=ENVIRONMENT | environment,
        capture_output=True,
        text=True,
        timeout=seconds,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def noted(*files: Path) -> list[str]:
    """What recorders noted; a line cut off by a kill is none."""
    lines: list[str] = []
    for file in files:
        if file.exists():
            lines += [line[:-1] for line in file.read_text().splitlines(keepends=True) if line.endswith("\n")]
    return lines


def drain(spool: Path) -> list[str]:
    """The ids of all events that nobody has sent yet, as the next process finds them."""
    outbox = SpoolOutbox(SpoolDirectory(spool))
    outbox.adopt()
    ids = []
    while batch := outbox.next_batch():
        ids += [json.loads(payload)["id"] for payload in batch.payloads]
        outbox.advance(batch)
    outbox.close()
    return ids


def in_order_per_task(ids: list[str]) -> bool:
    """Whether each task's turns, and its end, came in their order."""
    last: dict[str, float] = {}
    for id in ids:
        task, _, rest = id.partition("/")
        place = float("inf") if rest == "task" else int(rest.split("/")[0].removeprefix("turn-"))
        if place < last.get(task, 0):
            return False
        last[task] = place
    return True
