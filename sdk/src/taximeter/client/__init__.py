"""Reading what was recorded and billed: `taximeter.Client`, what it answers and what it raises."""

from taximeter.client.errors import (
    ApiError,
    ClientError,
    Conflict,
    FieldProblem,
    Forbidden,
    Invalid,
    Malformed,
    NoAnswer,
    NotFound,
    RateLimited,
    ServerError,
    Unauthenticated,
    Unavailable,
    UnexpectedAnswer,
)
from taximeter.client.listing import Listing, Page
from taximeter.client.reader import Client

__all__ = [
    "ApiError",
    "Client",
    "ClientError",
    "Conflict",
    "FieldProblem",
    "Forbidden",
    "Invalid",
    "Listing",
    "Malformed",
    "NoAnswer",
    "NotFound",
    "Page",
    "RateLimited",
    "ServerError",
    "Unauthenticated",
    "Unavailable",
    "UnexpectedAnswer",
]
