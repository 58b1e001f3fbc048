"""Where events go: onto a disk, into memory, or straight over HTTP."""

from taximeter.delivery.answers import Receipt, Rejection
from taximeter.delivery.sender import Waits
from taximeter.transports.background import Stats
from taximeter.transports.http import HttpTransport
from taximeter.transports.memory import InMemoryTransport
from taximeter.transports.queue import QueueTransport
from taximeter.transports.spool import SpoolTransport

__all__ = [
    "HttpTransport",
    "InMemoryTransport",
    "QueueTransport",
    "Receipt",
    "Rejection",
    "SpoolTransport",
    "Stats",
    "Waits",
]
