"""Record what AI agents do, for metering and billing."""

import importlib
from typing import TYPE_CHECKING, Any

from taximeter.context import carry, current_task, current_turn
from taximeter.errors import (
    ConfigurationError,
    DeliveryError,
    OutcomeError,
    PropagationError,
    SpoolError,
    SpoolFull,
    TaximeterError,
)
from taximeter.events import Event
from taximeter.meter import Meter, Transport
from taximeter.task import Task
from taximeter.transports import (
    HttpTransport,
    InMemoryTransport,
    QueueTransport,
    Receipt,
    Rejection,
    SpoolTransport,
    Stats,
    Waits,
)
from taximeter.turn import Turn
from taximeter.version import __version__

if TYPE_CHECKING:
    from taximeter.client import Client

__all__ = [
    "Client",
    "ConfigurationError",
    "DeliveryError",
    "Event",
    "HttpTransport",
    "InMemoryTransport",
    "Meter",
    "OutcomeError",
    "PropagationError",
    "QueueTransport",
    "Receipt",
    "Rejection",
    "SpoolError",
    "SpoolFull",
    "SpoolTransport",
    "Stats",
    "Task",
    "TaximeterError",
    "Transport",
    "Turn",
    "Waits",
    "__version__",
    "carry",
    "current_task",
    "current_turn",
]


def __getattr__(name: str) -> Any:
    """`Client` is loaded when it is asked for: an agent that only records needs no HTTP client for it."""
    if name == "Client":
        return importlib.import_module("taximeter.client").Client
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
