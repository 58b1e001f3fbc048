"""`python -m launcher.web SOCKET -m granian ARGUMENT…`: the web server on a port that the launcher holds."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

from granian.cli import entrypoint
from granian.net import SocketHolder  # type: ignore[attr-defined]
from granian.server.common import AbstractServer

from launcher import held_port

_BACKLOG = 4096


def main() -> None:
    """Never returns before the web server ends."""
    path, _, name, *arguments = sys.argv[1:]
    descriptor = held_port.receive(Path(path))
    os.set_inheritable(descriptor, True)

    def adopt(server: Any) -> None:
        """In place of listening: the web server knows no option for a socket that listens already."""
        holder = SocketHolder(descriptor, False, _BACKLOG)  # type: ignore[call-arg]
        server._shd, server._sfd, server._ssp = holder, descriptor, None

    AbstractServer._init_shared_socket = adopt  # type: ignore[method-assign]
    sys.argv = [name, *arguments]
    entrypoint()  # type: ignore[no-untyped-call]


if __name__ == "__main__":
    main()
