"""Metering knows customers only by the key in an event's `subject`. The room that owns customers
registers here how a reference (an id or a key) is looked up, so that metering need not import it.
"""

from __future__ import annotations

from collections.abc import Callable

#: From (organization_id, reference) to the customer's key; raises `NotFoundError` for an unknown one.
CustomerDirectory = Callable[[int, str], str]

_registered: list[CustomerDirectory] = []


def register_customer_directory(directory: CustomerDirectory) -> None:
    """Called once at start-up by the room that owns customers."""
    _registered[:] = [directory]


def customer_key(organization_id: int, reference: str) -> str:
    """The key under which events name the customer that `reference` (id or key) stands for."""
    return _registered[0](organization_id, reference) if _registered else reference
