"""One port, one instance."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from launcher import checks, held_port
from launcher.errors import LauncherError
from launcher.paths import ROOT
from tests.system import free_port


def test_of_many_that_start_at_once_one_gets_the_port_and_the_others_are_told() -> None:
    port = free_port()
    barrier = threading.Barrier(12)

    def take(_: int) -> socket.socket | str:
        barrier.wait()
        try:
            return checks.take_port("127.0.0.1", port)
        except LauncherError as error:
            return str(error)

    with ThreadPoolExecutor(12) as starting:
        outcomes = list(starting.map(take, range(12)))
    [listener] = [one for one in outcomes if isinstance(one, socket.socket)]
    refusals = [one for one in outcomes if isinstance(one, str)]
    assert all(f"Port {port} is taken by" in one and "TAXIMETER_PORT=" in one for one in refusals)
    listener.close()


def test_nobody_shares_a_held_port_not_even_by_so_reuseport() -> None:
    port = free_port()
    with checks.take_port("127.0.0.1", port), socket.socket() as other:
        for option in (socket.SO_REUSEADDR, socket.SO_REUSEPORT):
            other.setsockopt(socket.SOL_SOCKET, option, 1)
        with pytest.raises(OSError, match="in use"):
            other.bind(("127.0.0.1", port))


def test_a_port_that_another_shares_freely_is_taken() -> None:
    """As a web server does that was started by hand."""
    port = free_port()
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        other.bind(("127.0.0.1", port))
        other.listen()
        with pytest.raises(LauncherError, match=f"Port {port} is taken"):
            checks.take_port("127.0.0.1", port)


def test_the_port_is_handed_to_another_process_again_and_again_until_the_end(tmp_path: Path) -> None:
    port, path = free_port(), tmp_path / "port.sock"
    script = (
        "import socket, sys; from pathlib import Path; from launcher import held_port;"
        "s = socket.socket(fileno=held_port.receive(Path(sys.argv[1])));"
        "c, _ = s.accept(); c.sendall(b'here'); c.close()"
    )
    with held_port.handed_out(checks.take_port("127.0.0.1", port), path):
        assert os.stat(path).st_mode & 0o077 == 0
        for _ in range(2):
            # Who comes before the server is there waits.
            with socket.create_connection(("127.0.0.1", port), 30) as early:
                serving = subprocess.run([sys.executable, "-c", script, path], cwd=ROOT, timeout=60, check=True)
                assert serving.returncode == 0
                assert early.recv(10) == b"here"
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port), 5)
    assert not path.exists()
