"""Reading what was recorded and billed, and asking before acting: `taximeter.Client`, what it answers and raises."""

from taximeter.client.errors import (
    ApiError,
    ClientError,
    Conflict,
    FieldProblem,
    Forbidden,
    Invalid,
    Malformed,
    NoAnswer,
    NotAllowed,
    NotFound,
    RateLimited,
    ServerError,
    Unauthenticated,
    Unavailable,
    UnexpectedAnswer,
)
from taximeter.client.holding import HeldReservation
from taximeter.client.listing import Listing, Page
from taximeter.client.models import Reservation, Verdict
from taximeter.client.reader import Client

__all__ = [
    "ApiError",
    "Client",
    "ClientError",
    "Conflict",
    "FieldProblem",
    "Forbidden",
    "HeldReservation",
    "Invalid",
    "Listing",
    "Malformed",
    "NoAnswer",
    "NotAllowed",
    "NotFound",
    "Page",
    "RateLimited",
    "Reservation",
    "ServerError",
    "Unauthenticated",
    "Unavailable",
    "UnexpectedAnswer",
    "Verdict",
]
