"""Record what AI agents do, for metering and billing."""

from taximeter.context import carry, current_task, current_turn
from taximeter.errors import (
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
from taximeter.transports import HttpTransport, InMemoryTransport, Receipt, Rejection
from taximeter.turn import Turn
from taximeter.version import __version__

__all__ = [
    "DeliveryError",
    "Event",
    "HttpTransport",
    "InMemoryTransport",
    "Meter",
    "OutcomeError",
    "PropagationError",
    "Receipt",
    "Rejection",
    "SpoolError",
    "SpoolFull",
    "Task",
    "TaximeterError",
    "Transport",
    "Turn",
    "__version__",
    "carry",
    "current_task",
    "current_turn",
]
