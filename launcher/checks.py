"""What has to be so on this machine before anything is started."""

from __future__ import annotations

import os
import shutil
import socket
from pathlib import Path

from launcher import process
from launcher.errors import LauncherError

#: A new cluster, its write-ahead log and the demo take about a third of it.
_NEEDED_BYTES = 500 * 1024 * 1024


def port_from_environment() -> int:
    """`TAXIMETER_PORT`, by default 8000."""
    text = os.environ.get("TAXIMETER_PORT", "").strip() or "8000"
    if not (text.isascii() and text.isdigit() and 1 <= int(text) <= 65535):
        raise LauncherError(f"TAXIMETER_PORT must be a port from 1 to 65535, not {text!r}.")
    return int(text)


def host_from_environment() -> str:
    """`TAXIMETER_HOST`, by default this machine only."""
    return os.environ.get("TAXIMETER_HOST", "").strip() or "127.0.0.1"


def address(host: str, port: int) -> str:
    """Where a browser on this machine finds what listens on `host` and `port`."""
    reached = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(host, f"[{host}]" if ":" in host else host)  # noqa: S104
    return f"http://{reached}:{port}"


def require_disk_space(directory: Path) -> None:
    free = shutil.disk_usage(directory).free
    if free < _NEEDED_BYTES:
        raise LauncherError(
            f"Only {free // 2**20} MB are free where {directory} is, and Taximeter needs {_NEEDED_BYTES // 2**20} MB. "
            "Free some, or choose another place with TAXIMETER_VAR=/some/directory."
        )


def require_port(host: str, port: int) -> None:
    """Nobody listens on the port, and this user may."""
    try:
        _bind(host, port)
    except PermissionError:
        raise LauncherError(
            f"Only root may listen on port {port}. Choose one above 1023:  TAXIMETER_PORT=8000 make run"
        ) from None
    except socket.gaierror:
        raise LauncherError(f"TAXIMETER_HOST={host} is no address of this machine.") from None
    except OSError as error:
        if not _is_listening(host, port):
            raise LauncherError(f"Cannot listen on {host} port {port}: {error.strerror}.") from None
        who = _listener(port)
        raise LauncherError(
            f"Port {port} is taken by {who or 'another program'}. Stop that, or choose another port:  "
            f"TAXIMETER_PORT={_free_port(host, port)} make run"
        ) from None


def _bind(host: str, port: int) -> None:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # what just closed does not count
        probe.bind((host, port))
        probe.listen(1)


def _is_listening(host: str, port: int) -> bool:
    try:
        _bind(host, port)
    except OSError as error:
        return error.errno == 98 or "in use" in (error.strerror or "")
    return False


def _free_port(host: str, taken: int) -> int:
    for port in range(taken + 1, min(taken + 100, 65536)):
        try:
            _bind(host, port)
        except OSError:
            continue
        return port
    return 8000 if taken != 8000 else 9000


def _listener(port: int) -> str | None:
    """Who listens on `port`, where /proc tells: `python3 (process 4711)`."""
    inodes = set()
    for table in ("tcp", "tcp6"):
        try:
            lines = Path("/proc/net", table).read_text().splitlines()[1:]
        except OSError:
            continue
        for fields in map(str.split, lines):
            if fields[3] == "0A" and int(fields[1].rpartition(":")[2], 16) == port:  # 0A: TCP_LISTEN
                inodes.add(f"socket:[{fields[9]}]")
    for descriptor in Path("/proc").glob("[0-9]*/fd/*") if inodes else ():
        try:
            if os.readlink(descriptor) in inodes:
                pid = int(descriptor.parts[2])
                return f"{process.command_of(pid)[:60] or 'a program'} (process {pid})"
        except OSError:
            continue
    return None
