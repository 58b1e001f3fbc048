"""The port of the instance, held by the launcher from its check until its end.

The launcher listens itself and hands the socket to the web server, which shares it with nobody: a socket of the web
server's own would let another one of the same user listen beside it, and each would answer some of the requests.
"""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

_BACKLOG = 4096


def listen(host: str, port: int) -> socket.socket:
    """A socket that listens on `host` and `port` alone; `OSError` where another one does, or nobody may."""
    listener = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # what just closed does not count
        listener.bind((host, port))
        listener.listen(_BACKLOG)
    except BaseException:
        listener.close()
        raise
    return listener


@contextlib.contextmanager
def handed_out(listener: socket.socket, path: Path) -> Iterator[None]:
    """Give `listener` to each process that connects to the unix socket `path`; close it in the end."""
    path.unlink(missing_ok=True)
    with listener, socket.socket(socket.AF_UNIX) as counter:
        counter.bind(str(path))
        path.chmod(0o600)
        counter.listen()
        threading.Thread(target=_hand_out, args=(counter, listener), daemon=True).start()
        try:
            yield
        finally:
            with contextlib.suppress(OSError):
                counter.shutdown(socket.SHUT_RDWR)  # closing it alone would not wake the thread
            path.unlink(missing_ok=True)


def receive(path: Path) -> int:
    """The descriptor of the socket that `handed_out` has at `path`."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(30)
        connection.connect(str(path))
        _, [descriptor], _, _ = socket.recv_fds(connection, 1, 1)
    return descriptor


def _hand_out(counter: socket.socket, listener: socket.socket) -> None:
    while True:
        try:
            connection, _ = counter.accept()
        except OSError:
            return
        with connection, contextlib.suppress(OSError):
            connection.settimeout(5)
            socket.send_fds(connection, [b"x"], [listener.fileno()])
