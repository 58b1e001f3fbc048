"""API of coupons and redemptions."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.response import Response
from rest_framework.views import APIView

from billing.credits.coupons import (
    coupons_of,
    create_coupon,
    get_coupon,
    get_redemption,
    redeem_coupon,
    redemptions_of,
    remove_coupon,
)
from billing.customers.presenters import money
from billing.models import Coupon, CouponRedemption
from billing.subscriptions.queries import get_subscription
from billing.test_clocks.queries import clock_of
from rest.access import Permission
from rest.idempotency import idempotent
from rest.pagination import page
from rest.schema import page_of
from rest.serializers import CurrencyField, DecimalField, InstantField, KeyField, Shape, StrictSerializer


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


class CouponAnswer(serializers.Serializer[Any]):
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


class RedemptionAnswer(serializers.Serializer[Any]):
    """A coupon on a subscription, for the billing periods that begin in `starts_at` <= t < `ends_at`; `taken_off` is
    what it has taken off so far."""

    id = serializers.CharField()
    coupon = serializers.CharField()
    subscription = serializers.CharField()
    starts_at = InstantField()
    ends_at = InstantField(allow_null=True)
    taken_off = DecimalField()
    created_at = InstantField()


class RedemptionList(Shape):
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


class CouponsView(APIView):
    required_permission = {"POST": Permission.MOVE_MONEY}
    statuses = {"POST": 201}
    answers = {"GET": page_of(CouponAnswer), "POST": CouponAnswer}

    def get(self, request: Any) -> Response:
        return Response(page(coupons_of(request.auth.organization_id), request.query_params, present_coupon))

    @extend_schema(request=CouponInput)
    @idempotent
    def post(self, request: Any) -> Response:
        body = CouponInput(data=request.data)
        body.is_valid(raise_exception=True)
        coupon = create_coupon(organization=request.auth.organization, **body.validated_data)
        return Response(present_coupon(coupon), status=201)


class CouponView(APIView):
    answers = {"GET": CouponAnswer}

    def get(self, request: Any, coupon: str) -> Response:
        return Response(present_coupon(get_coupon(organization_id=request.auth.organization_id, coupon=coupon)))


class SubscriptionCouponsView(APIView):
    """The coupons of a subscription; another one is redeemed from its present billing period on."""

    required_permission = {"POST": Permission.MOVE_MONEY}
    statuses = {"POST": 201}
    answers = {"GET": RedemptionList, "POST": RedemptionAnswer}

    def get(self, request: Any, subscription: str) -> Response:
        found = get_subscription(organization_id=request.auth.organization_id, subscription=subscription)
        currency = found.customer.currency
        return Response({"data": [present_redemption(one, currency) for one in redemptions_of(found.pk)]})

    @extend_schema(request=RedeemInput)
    @idempotent
    def post(self, request: Any, subscription: str) -> Response:
        body = RedeemInput(data=request.data)
        body.is_valid(raise_exception=True)
        organization_id = request.auth.organization_id
        found = get_subscription(organization_id=organization_id, subscription=subscription)
        redemption = redeem_coupon(
            subscription=found,
            coupon=get_coupon(organization_id=organization_id, coupon=body.validated_data["coupon"]),
            now=clock_of(found.customer)(),
        )
        return Response(present_redemption(redemption, found.customer.currency), status=201)


class SubscriptionCouponView(APIView):
    required_permission = Permission.MOVE_MONEY
    answers = {"DELETE": RedemptionAnswer}

    @extend_schema(request=None)
    def delete(self, request: Any, subscription: str, coupon: str) -> Response:
        """Ends a coupon with the present billing period."""
        found = get_subscription(organization_id=request.auth.organization_id, subscription=subscription)
        redemption = remove_coupon(
            redemption=get_redemption(subscription_id=found.pk, coupon=coupon),
            subscription=found,
            now=clock_of(found.customer)(),
        )
        return Response(present_redemption(redemption, found.customer.currency))
