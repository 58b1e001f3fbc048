"""Starting, recognizing and ending processes."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

#: In the environment of every process of an instance, so that all of them can be found again.
TAG = "TAXIMETER_INSTANCE"

_SHIM = Path(__file__).with_name("shim.py")
_PROC = Path("/proc")


def shimmed(command: Sequence[str | Path], *, stop_signal: str = "TERM", identity: str = "same") -> list[str]:
    """`command` (an absolute path first) started by the shim: it ends by `stop_signal` when its parent is gone."""
    options = ["--signal", stop_signal, "--as", identity, "--"]
    return [sys.executable, "-I", "-S", str(_SHIM), *options, *map(str, command)]


def is_alive(pid: int) -> bool:
    """Whether `pid` is a running process; a zombie waiting for its parent is not one."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    with contextlib.suppress(OSError, IndexError):
        return (_PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    return True


def started_at(pid: int) -> str | None:
    """When `pid` started, in the kernel's ticks: with the pid it names one process for as long as the machine runs."""
    try:
        return (_PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()[19]
    except (OSError, IndexError):
        return None


def working_directory(pid: int) -> Path | None:
    """Where `pid` works, or None where that cannot be told."""
    try:
        return Path(os.readlink(_PROC / str(pid) / "cwd"))
    except OSError:
        return None


def command_of(pid: int) -> str:
    """The command line of `pid`, or nothing where that cannot be told."""
    try:
        return (_PROC / str(pid) / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
    except OSError:
        return ""


def every_pid() -> list[int]:
    """The processes of this machine, this one left out; none where there is no /proc."""
    names = (entry.name for entry in _PROC.iterdir()) if _PROC.is_dir() else ()
    return [int(name) for name in names if name.isdigit() and int(name) != os.getpid()]


def tagged(tag: str) -> list[int]:
    """The processes that carry `tag`, this one left out."""
    wanted = f"{TAG}={tag}".encode()
    return [pid for pid in every_pid() if wanted in _environment_of(pid) and is_alive(pid)]


def _environment_of(pid: int) -> list[bytes]:
    try:
        return (_PROC / str(pid) / "environ").read_bytes().split(b"\0")
    except OSError:
        return []


def family(pid: int) -> list[int]:
    """`pid` and all that descends from it."""
    children: dict[int, list[int]] = {}
    for one in every_pid():
        fields = _stat_of(one)
        if fields:
            children.setdefault(int(fields[1]), []).append(one)
    found = [pid]
    for one in found:
        found.extend(children.get(one, ()))
    return found


def ticks(pids: Iterable[int]) -> int:
    """The processor time that `pids` have used, in the kernel's ticks; 0 where that cannot be told."""
    return sum(int(fields[11]) + int(fields[12]) for pid in pids if (fields := _stat_of(pid)))


def _stat_of(pid: int) -> list[str]:
    """The fields of /proc/PID/stat after the name, the state first; none for a process that is gone."""
    try:
        return (_PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()
    except OSError:
        return []


def wait_until(condition: Callable[[], object], *, seconds: float, interval: float = 0.05) -> bool:
    """Whether `condition` came true within `seconds`."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(interval)
    return True


def send(pids: Iterable[int], number: int) -> None:
    """Send a signal to each of `pids` that is still there."""
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)


def end_tagged(tag: str, *, seconds: float) -> bool:
    """End the processes that carry `tag`: asked first, killed after `seconds`. Whether none is left."""
    send(tagged(tag), signal.SIGTERM)
    if wait_until(lambda: not tagged(tag), seconds=seconds):
        return True
    send(tagged(tag), signal.SIGKILL)
    return wait_until(lambda: not tagged(tag), seconds=5)


def start(
    command: Sequence[str | Path],
    *,
    log: Path,
    stop_signal: str = "TERM",
    identity: str = "same",
    environment: Mapping[str, str] | None = None,
    cwd: Path | None = None,
) -> subprocess.Popen[bytes]:
    """Start `command` in a session of its own, its output added to `log`; it does not outlive the calling thread."""
    with log.open("ab") as output:
        return subprocess.Popen(
            shimmed(command, stop_signal=stop_signal, identity=identity),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            env=None if environment is None else dict(environment),
            cwd=cwd,
        )


def capture(command: Sequence[str | Path], *, identity: str = "same") -> subprocess.CompletedProcess[str]:
    """Run `command` to its end as `identity`, with what it printed. It starts in `/`, which everyone can enter."""
    started = shimmed(command, identity=identity)
    return subprocess.run(started, capture_output=True, text=True, check=False, cwd="/", stdin=subprocess.DEVNULL)


def stop(process: subprocess.Popen[bytes], *, number: int = signal.SIGTERM, seconds: float = 20) -> None:
    """End `process` by `number`, and with its whole group by SIGKILL where it takes longer than `seconds`."""
    if process.poll() is None:
        process.send_signal(number)
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait(5)


def tail(log: Path, lines: int = 20) -> str:
    """The last `lines` of a log, or a word about why there are none."""
    try:
        with log.open("rb") as file:
            file.seek(max(0, file.seek(0, os.SEEK_END) - 200 * lines))
            return "\n".join(file.read().decode(errors="replace").splitlines()[-lines:]) or "(empty)"
    except OSError:
        return "(no log)"
