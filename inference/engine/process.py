"""The life of the engine process: take the socket, load, serve, leave nothing behind."""

from __future__ import annotations

import logging
import os
import signal
import socket
import threading
from collections.abc import Callable

from inference.engine.catalogue import Catalogue
from inference.engine.config import EngineConfig
from inference.engine.http import EngineHttpServer
from inference.engine.service import EngineService
from kernel.errors import ConflictError, TaximeterError

logger = logging.getLogger("inference.engine")


def serve(config: EngineConfig, catalogue: Catalogue, *, on_ready: Callable[[EngineService], None]) -> None:
    """Loads the first model of the catalogue and serves until TERM or INT; the others are loaded when asked for.

    Raises `ConflictError` where another engine has the socket.
    """
    _claim(config)
    service = EngineService(config, catalogue)
    for entry in catalogue.entries()[:1]:
        try:
            service.load(entry.digest)
        except TaximeterError as error:  # whoever asks for it is told, and other models may do
            logger.error("%s is not loaded: %s", entry.id, error.detail)
    mask = os.umask(0o177)  # the socket is for this user alone from its first moment
    try:
        server = EngineHttpServer(service)
    finally:
        os.umask(mask)
    inode = config.socket.stat().st_ino

    def stop(*_: object) -> None:
        threading.Thread(target=server.shutdown).start()

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    on_ready(service)
    try:
        server.serve_forever(poll_interval=0.5)
    finally:
        server.socket.close()
        service.stop()
        server.finish_requests(within=config.drain_seconds)
        if config.socket.exists() and config.socket.stat().st_ino == inode:
            config.socket.unlink()


def _claim(config: EngineConfig) -> None:
    """Makes the socket's directory, and clears away the socket of an engine that was killed."""
    config.socket.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    if not config.socket.exists():
        return
    with socket.socket(socket.AF_UNIX) as probe:
        try:
            probe.connect(str(config.socket))
        except OSError:
            config.socket.unlink(missing_ok=True)
            return
    raise ConflictError(f"Another engine is serving on {config.socket}", code="engine_running")
