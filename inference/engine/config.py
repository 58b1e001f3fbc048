"""What the engine process is started with."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

DEFAULT_CONTEXT = 4096
DEFAULT_QUEUE_LIMIT = 64


@dataclass(frozen=True, slots=True)
class EngineConfig:
    """`context` is the longest prompt and answer together, in tokens; `queue_limit` counts waiting requests.

    `hardware` is the class of machine that compute seconds are counted on.
    """

    socket: Path
    secret: str
    hardware: str = "cpu"
    context: int = DEFAULT_CONTEXT
    queue_limit: int = DEFAULT_QUEUE_LIMIT
    drain_seconds: float = 5.0

    def __post_init__(self) -> None:
        if len(self.secret) < 16:
            raise ValueError("TAXIMETER_ENGINE_SECRET must be at least 16 characters: it guards the way past the meter")
        if len(str(self.socket).encode()) > 100:
            raise ValueError(f"the socket path is longer than unix sockets allow: {self.socket}")
