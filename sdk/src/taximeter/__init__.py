"""Record what AI agents do, for metering and billing."""

from taximeter.errors import DeliveryError, OutcomeError, TaximeterError
from taximeter.events import Event
from taximeter.meter import Meter, Transport
from taximeter.task import Task, Turn
from taximeter.transports import HttpTransport, InMemoryTransport, Receipt, Rejection
from taximeter.version import __version__

__all__ = [
    "DeliveryError",
    "Event",
    "HttpTransport",
    "InMemoryTransport",
    "Meter",
    "OutcomeError",
    "Receipt",
    "Rejection",
    "Task",
    "TaximeterError",
    "Transport",
    "Turn",
    "__version__",
]
