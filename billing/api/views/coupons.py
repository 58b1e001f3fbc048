from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework.response import Response
from rest_framework.views import APIView

from billing.api.coupons import (
    CouponAnswer,
    CouponInput,
    RedeemInput,
    RedemptionAnswer,
    RedemptionList,
    present_coupon,
    present_redemption,
)
from billing.queries.clocks import clock_of
from billing.queries.coupons import coupons_of, get_coupon, get_redemption, redemptions_of
from billing.queries.customers import get_subscription
from billing.services.coupons import create_coupon, redeem_coupon, remove_coupon
from rest.idempotency import idempotent
from rest.pagination import page
from rest.schema import page_of


class CouponsView(APIView):
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
