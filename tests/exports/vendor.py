"""A vendor whose October is closed: three customers with a base fee, in currencies of two, no and three digits."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

from accounts.facade import Organization
from billing.facade import close_month, create_customer, create_plan, subscribe
from kernel.period import Month
from tests.api import Api

OCTOBER = Month(2026, 10)
START = datetime(2026, 10, 1, tzinfo=UTC)
NOW = datetime(2026, 11, 2, 9, 30, tzinfo=UTC)
FORMULA = '=HYPERLINK("http://evil.example","Pay")'


def closed_october(api: Api) -> Organization:
    """49.00 and 19 % of 0.105 in dollars, 1,000 in yen, 12.345 in dinars."""
    organization = api.organization
    fees = {
        "usd": ("USD", FORMULA, "49.00", "0.19"),
        "usd-2": ("USD", "+49 30 1234", "0.105", "0.19"),
        "yen": ("JPY", "@sum", "1000", "0"),
        "dinar": ("BHD", "Plain & <b>", "12.345", "0"),
    }
    for key, (currency, name, amount, tax_rate) in fees.items():
        customer = create_customer(
            organization=organization, key=key, name=name, currency=currency, tax_rate=Decimal(tax_rate)
        )
        price = {"key": "base", "name": "-2+3", "kind": "fixed", "model": {"type": "flat", "amount": amount}}
        plan = create_plan(organization=organization, key=key, currency=currency, prices=[price])
        subscribe(customer=customer, plan=plan, starts_at=START)
    close_month(organization=organization, month=OCTOBER, now=NOW)
    return organization
