"""Test clocks and the customers on them."""

from __future__ import annotations

from collections.abc import Set
from datetime import datetime

from django.db.models import QuerySet

from billing.models import Customer, TestClock
from kernel.clock import Clock, system_clock
from rest.lookup import find


def test_clocks_of(organization_id: int) -> QuerySet[TestClock]:
    """The organization's test clocks."""
    return TestClock.objects.filter(organization_id=organization_id)


def get_test_clock(*, organization_id: int, test_clock: str) -> TestClock:
    """The test clock with this id; `NotFoundError` with code `test_clock_not_found`."""
    return find(test_clocks_of(organization_id), test_clock, what="test_clock")


def clock_of(customer: Customer) -> Clock:
    """The clock a customer lives by: its test clock, or the machine's."""
    if customer.test_clock is None:
        return system_clock
    stopped: datetime = customer.test_clock.now
    return lambda: stopped


def test_clock_times(organization_id: int, keys: Set[str]) -> dict[str, datetime]:
    """The time of the test clock of each customer among `keys` that lives by one."""
    rows = Customer.objects.filter(organization_id=organization_id, key__in=keys, test_clock__isnull=False)
    return dict(rows.values_list("key", "test_clock__now"))
