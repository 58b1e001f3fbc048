"""Filling the API answers of customers, seller profiles and billing policy."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from billing.documents.e_invoice import missing_fields
from billing.documents.profile_fields import FIELDS
from billing.documents.unprintable import unprintable_of_customer, unprintable_of_seller
from billing.models import (
    BillingPolicy,
    Customer,
    SellerProfile,
)
from kernel.money import round_to_currency


def money(amount: Decimal, currency: str) -> str:
    """An amount with the digits of its currency, such as "12.30"."""
    return format(round_to_currency(amount, currency), "f")


def customer(one: Customer) -> dict[str, Any]:
    names = [
        "id",
        "key",
        "name",
        "email",
        "currency",
        "timezone",
        "address",
        "tax_rate",
        "tax_id",
        "tax_treatment",
        "locale",
        "metadata",
        "created_at",
        "anonymized_at",
        "erased_at",
    ]
    return {name: getattr(one, name) for name in names} | {
        "test_clock": one.test_clock_id,
        "merged_into": one.merged_into_id,
        "unprintable": unprintable_of_customer(one),
    }


def seller_profile(one: SellerProfile) -> dict[str, Any]:
    """`logo` is the SHA-256 of its content; the picture itself is at `seller_profile/logo`."""
    names = ("version", *FIELDS)
    return {name: getattr(one, name) for name in names} | {
        "logo": one.logo.digest if one.logo else None,
        "missing": missing_fields(one),
        "unprintable": unprintable_of_seller(one),
    }


def policy(one: BillingPolicy) -> dict[str, Any]:
    names = ("grace_hours", "payment_days", "late_usage", "zero_amount", "issue", "tax_rounding")
    return {name: getattr(one, name) for name in names}
