"""Whether the engine answers."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from django.conf import settings

from inference.api.engine import ask
from inference.api.errors import EngineUnavailable

#: Nobody waits longer than this for the engine to say that it is well, in seconds.
_PATIENCE = 1.0


@dataclass(frozen=True, slots=True)
class EngineState:
    """`is_here` says whether there is an engine to ask; `requests` how many it is at or keeps in line."""

    is_here: bool
    is_answering: bool = False
    requests: int = 0
    models: tuple[str, ...] = ()


def engine_state() -> EngineState:
    """What the engine says of itself; it is given a second to do so."""
    if not Path(settings.ENGINE_SOCKET).exists():
        return EngineState(is_here=False)
    try:
        said = ask("GET", "/health", seconds=_PATIENCE)
    except EngineUnavailable:
        return EngineState(is_here=True)
    return EngineState(True, True, requests=int(said["requests"]), models=tuple(said["models"]))
