"""How coupons and their redemptions look in the API."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from rest_framework import serializers

from billing.api.present import money
from billing.models import Coupon, CouponRedemption
from rest.serializers import CurrencyField, DecimalField, InstantField, KeyField, StrictSerializer


class CouponInput(StrictSerializer):
    key = KeyField()
    name = serializers.CharField(max_length=200, required=False)
    percent = DecimalField(required=False)
    amount = DecimalField(required=False)
    currency = CurrencyField(required=False)
    periods = serializers.IntegerField(min_value=1, max_value=1200, required=False, allow_null=True)
    max_redemptions = serializers.IntegerField(min_value=1, max_value=1_000_000_000, required=False, allow_null=True)
    expires_at = InstantField(required=False, allow_null=True)


class RedeemInput(StrictSerializer):
    coupon = serializers.CharField()


class CouponAnswer(serializers.Serializer):  # type: ignore[type-arg]
    """`periods` null: for ever."""

    id = serializers.CharField()
    key = serializers.CharField()
    name = serializers.CharField()
    percent = DecimalField(allow_null=True)
    amount = DecimalField(allow_null=True)
    currency = serializers.CharField(allow_null=True)
    periods = serializers.IntegerField(allow_null=True)
    max_redemptions = serializers.IntegerField(allow_null=True)
    expires_at = InstantField(allow_null=True)
    created_at = InstantField()


class RedemptionAnswer(serializers.Serializer):  # type: ignore[type-arg]
    """A coupon on a subscription, for the billing periods that begin in `starts_at` <= t < `ends_at`; `taken_off` is
    what it has taken off so far."""

    id = serializers.CharField()
    coupon = serializers.CharField()
    subscription = serializers.CharField()
    starts_at = InstantField()
    ends_at = InstantField(allow_null=True)
    taken_off = DecimalField()
    created_at = InstantField()


class RedemptionList(serializers.Serializer):  # type: ignore[type-arg]
    data = RedemptionAnswer(many=True)


def present_coupon(one: Coupon) -> dict[str, Any]:
    names = "id key name percent periods max_redemptions expires_at created_at"
    return {name: getattr(one, name) for name in names.split()} | {
        "amount": None if one.amount is None else money(one.amount, one.currency),
        "currency": one.currency or None,
    }


def present_redemption(one: CouponRedemption, currency: str) -> dict[str, Any]:
    taken: Decimal = getattr(one, "taken", None) or Decimal(0)
    return {
        "id": one.pk,
        "coupon": one.coupon.key,
        "subscription": one.subscription_id,
        "starts_at": one.starts_at,
        "ends_at": one.ends_at,
        "taken_off": money(taken, currency),
        "created_at": one.created_at,
    }
