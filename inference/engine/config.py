"""What the engine process is started with."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path

from inference.domain.memory import CACHE_TYPES

DEFAULT_CONTEXT = 4096
DEFAULT_QUEUE_LIMIT = 64
FLASH_ATTENTION = ("auto", "on", "off")


def half_of_memory() -> int:
    """Bytes: what models may take where nobody says it."""
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2


@dataclass(frozen=True, slots=True)
class EngineConfig:
    """Settings of the engine process; `docs/configuration.md` has them all.

    `context` is the longest prompt and answer together, in tokens, of each of the `slots` requests that are
    worked on side by side; `queue_limit` counts waiting requests. `hardware` is the class of machine that
    compute seconds are counted on, `watts` what a busy core of it draws (0: not known). `spool` is the file
    that keeps calls until somebody has recorded them, None for an engine whose calls nobody records.
    """

    socket: Path
    secret: str
    hardware: str = "cpu"
    watts: Decimal = Decimal(0)
    context: int = DEFAULT_CONTEXT
    slots: int = 1
    threads: int = 1
    batch: int = 128
    flash_attention: str = "auto"
    cache_type: str = "f16"
    memory_bytes: int = field(default_factory=half_of_memory)
    queue_limit: int = DEFAULT_QUEUE_LIMIT
    queue_seconds: float = 120.0
    request_seconds: float = 600.0
    publisher_keys: tuple[str, ...] = ()
    spool: Path | None = None
    drain_seconds: float = 5.0

    def __post_init__(self) -> None:
        if len(self.secret) < 16:
            raise ValueError("TAXIMETER_ENGINE_SECRET must be at least 16 characters: it guards the way past the meter")
        if len(str(self.socket).encode()) > 100:
            raise ValueError(f"the socket path is longer than unix sockets allow: {self.socket}")
        if self.flash_attention not in FLASH_ATTENTION:
            raise ValueError(f"flash attention must be one of {', '.join(FLASH_ATTENTION)}, not {self.flash_attention}")
        if self.cache_type not in CACHE_TYPES:
            raise ValueError(f"the cache type must be one of {', '.join(CACHE_TYPES)}, not {self.cache_type}")
        if self.flash_attention == "off" and self.cache_type not in {"f32", "f16", "bf16"}:
            raise ValueError(f"the cache type {self.cache_type} needs flash attention")
