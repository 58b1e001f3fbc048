"""One instance per `var` directory: who runs it, and the environment that its processes live in.

Only the standard library is imported here, because `manage.py` asks this on every start.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from launcher import process
from launcher.errors import LauncherError
from launcher.keys import write_private
from launcher.paths import Layout


@dataclass(frozen=True, slots=True)
class Record:
    """What the runner writes down about itself, in `var/run/instance.json`."""

    pid: int
    started_at: str | None
    address: str
    environment: dict[str, str]

    def is_of_running_process(self) -> bool:
        """Whether the recorded process is still that process, and not another with its number."""
        return process.is_alive(self.pid) and process.started_at(self.pid) == self.started_at


def tag(layout: Layout) -> str:
    """Marks every process of this instance, in whatever run of it."""
    return str(layout.var)


def write_record(layout: Layout, record: Record) -> None:
    write_private(_file(layout), json.dumps(asdict(record), indent=1))


def read_record(layout: Layout) -> Record | None:
    """The record of the instance that runs now, or None. One left by a killed runner does not count."""
    try:
        record = Record(**json.loads(_file(layout).read_text()))
    except (OSError, ValueError, TypeError):
        return None
    return record if record.is_of_running_process() else None


def remove_record(layout: Layout) -> None:
    _file(layout).unlink(missing_ok=True)


@contextlib.contextmanager
def locked(layout: Layout) -> Iterator[None]:
    """Be the only runner of this instance. The kernel frees the lock of a killed one."""
    with (layout.run / "lock").open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            record = read_record(layout)
            where = f" at {record.address} (process {record.pid})" if record else ""
            raise LauncherError(f"Taximeter is already running{where}. To stop it:  make stop") from None
        yield


def is_locked(layout: Layout) -> bool:
    """Whether a runner of this instance is at work."""
    try:
        with (layout.run / "lock").open("a") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False


def adopt_environment() -> None:
    """Let a command typed by hand work on the running instance: its addresses, secrets and paths.

    Does nothing where a database is named already, or where `make run` is not at work.
    """
    if os.environ.get("DATABASE_URL") or os.environ.get("TAXIMETER_ENV"):
        return
    record = read_record(Layout.from_environment())
    for name, value in (record.environment if record else {}).items():
        os.environ.setdefault(name, value)


def _file(layout: Layout) -> Path:
    return layout.run / "instance.json"
