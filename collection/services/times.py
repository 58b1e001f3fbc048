from __future__ import annotations

from datetime import datetime

from billing.facade import Customer


def time_of(customer: Customer, now: datetime) -> datetime:
    """What time it is for a customer when the machine's clock says `now`."""
    return customer.test_clock.now if customer.test_clock else now
