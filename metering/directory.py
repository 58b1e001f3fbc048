"""Metering knows customers only by the key in an event's `subject`. The room that owns customers
registers here how a reference (an id or a key) is looked up, so that metering need not import it.
"""

from __future__ import annotations

from collections.abc import Callable, Set
from datetime import datetime

#: From (organization_id, reference) to the customer's key; raises `NotFoundError` for an unknown one.
CustomerDirectory = Callable[[int, str], str]

#: From an organization and pairs of a customer's key and the name of a subscription (its id or key) to those pairs of
#: which the customer has no such subscription.
SubscriptionDirectory = Callable[[int, Set[tuple[str | None, str]]], set[tuple[str | None, str]]]

#: From an organization and customers' keys to the time of the test clock that each of them lives by, where it has one.
ClockDirectory = Callable[[int, Set[str]], dict[str, datetime]]

#: From an organization and keys to those of them that are customers'.
KnownCustomers = Callable[[int, Set[str]], set[str]]

_registered: list[CustomerDirectory] = []
_subscriptions: list[SubscriptionDirectory] = []
_known: list[KnownCustomers] = []
_clocks: list[ClockDirectory] = []


def register_customer_directory(directory: CustomerDirectory, known: KnownCustomers) -> None:
    """Called once at start-up by the room that owns customers."""
    _registered[:], _known[:] = [directory], [known]


def known_customers(organization_id: int, keys: Set[str]) -> set[str]:
    """Those of `keys` that are customers'."""
    return _known[0](organization_id, keys) if _known else set(keys)


def customer_key(organization_id: int, reference: str) -> str:
    """The key under which events name the customer that `reference` (id or key) stands for."""
    return _registered[0](organization_id, reference) if _registered else reference


def register_subscription_directory(directory: SubscriptionDirectory) -> None:
    """Called once at start-up by the room that owns subscriptions."""
    _subscriptions[:] = [directory]


def unknown_subscriptions(organization_id: int, named: Set[tuple[str | None, str]]) -> set[tuple[str | None, str]]:
    """Those of `named` (a customer's key, a subscription's name) that stand for no subscription of the customer."""
    return _subscriptions[0](organization_id, named) if _subscriptions else set()


def register_clock_directory(directory: ClockDirectory) -> None:
    """Called once at start-up by the room that owns test clocks."""
    _clocks[:] = [directory]


def test_clocks(organization_id: int, customers: Set[str]) -> dict[str, datetime]:
    """The time of the test clock of each of `customers` (keys) that lives by one."""
    return _clocks[0](organization_id, customers) if _clocks and customers else {}
