"""Subscriptions and what may change about them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.db import transaction
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.response import Response
from rest_framework.views import APIView

from billing.catalog.queries import get_plan, newest_version
from billing.credits.coupons import get_coupon, redeem_coupon
from billing.customers.queries import get_customer
from billing.models import Subscription
from billing.subscriptions import answers, presenters
from billing.subscriptions.changes import (
    add_add_on,
    change_plan,
    change_seats,
    pause_subscription,
    remove_add_on,
    resume_subscription,
)
from billing.subscriptions.ends import cancel_subscription, end_trial, set_end, uncancel_subscription
from billing.subscriptions.queries import get_subscription, subscriptions_of
from billing.subscriptions.running import current_period_end
from billing.subscriptions.subscribing import subscribe
from billing.subscriptions.versions import override_prices
from billing.test_clocks.queries import clock_of
from rest.access import Permission
from rest.idempotency import clicked_once, idempotent
from rest.pagination import page
from rest.schema import page_of
from rest.serializers import (
    AnyField,
    InstantField,
    KeyField,
    StrictSerializer,
)


class PriceOverrideInput(StrictSerializer):
    """What is other about one of a plan's prices; what is left out is as in the plan."""

    key = serializers.CharField()
    name = serializers.CharField(max_length=200, required=False)
    included = AnyField(required=False, allow_null=True)
    minimum = AnyField(required=False, allow_null=True)
    maximum = AnyField(required=False, allow_null=True)
    model = AnyField(required=False)


class OverridesInput(StrictSerializer):
    prices = serializers.ListField(child=PriceOverrideInput(), allow_empty=False)
    when = serializers.ChoiceField(choices=["now", "period_end"], default="now")


class SubscriptionInput(StrictSerializer):
    key = KeyField(required=False)
    usage = serializers.ChoiceField(choices=["any", "named"], default="any")
    customer = serializers.CharField()
    plan = serializers.CharField()
    starts_at = InstantField(required=False)
    ends_at = InstantField(required=False, allow_null=True)
    anchor = serializers.ChoiceField(choices=["calendar", "anniversary"], default="calendar")
    seats = serializers.IntegerField(min_value=0, max_value=10_000_000, default=0)
    trial_days = serializers.IntegerField(min_value=0, max_value=3650, required=False)
    coupon = serializers.CharField(required=False)


class ChangeInput(StrictSerializer):
    plan = serializers.CharField(required=False)
    seats = serializers.IntegerField(min_value=0, max_value=10_000_000, required=False)
    when = serializers.ChoiceField(choices=["now", "period_end"], default="now")

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if "plan" not in attrs and "seats" not in attrs:
            raise serializers.ValidationError({"plan": "Say which plan or how many seats"})
        return attrs


class SubscriptionPatchInput(StrictSerializer):
    ends_at = InstantField(allow_null=True)


class AddOnInput(StrictSerializer):
    plan = serializers.CharField()
    quantity = serializers.IntegerField(min_value=1, max_value=10_000_000, default=1)


class CancelInput(StrictSerializer):
    when = serializers.ChoiceField(choices=["now", "period_end"], default="period_end")


def _shown(request: Any, subscription: str) -> dict[str, Any]:
    return presenters.subscription(
        get_subscription(organization_id=request.auth.organization_id, subscription=subscription)
    )


def _done(request: Any, subscription: str, action: Callable[..., Any]) -> Response:
    """Do what needs the subscription and its customer's clock alone."""
    found = get_subscription(organization_id=request.auth.organization_id, subscription=subscription)
    action(subscription=found, now=clock_of(found.customer)())
    return Response(_shown(request, found.pk))


def _changed(request: Any, changed: Subscription) -> dict[str, Any]:
    """The subscription, with the changes to come that were dropped."""
    return _shown(request, changed.pk) | {"dropped_changes": list(changed.dropped_changes)}


class SubscriptionsView(APIView):
    required_permission = {"POST": Permission.MOVE_MONEY}
    statuses = {"POST": 201}
    answers = {"GET": page_of(answers.Subscription), "POST": answers.Subscription}
    filters = ("customer",)

    def get(self, request: Any) -> Response:
        rows = subscriptions_of(request.auth.organization_id)
        if customer := request.query_params.get("customer"):
            rows = rows.filter(customer=get_customer(organization_id=request.auth.organization_id, customer=customer))
        return Response(page(rows, request.query_params, presenters.subscription))

    @extend_schema(request=SubscriptionInput)
    @clicked_once
    @idempotent
    def post(self, request: Any) -> Response:
        body = SubscriptionInput(data=request.data)
        body.is_valid(raise_exception=True)
        fields = body.validated_data
        organization_id = request.auth.organization_id
        customer = get_customer(organization_id=organization_id, customer=fields["customer"])
        now = clock_of(customer)()
        with transaction.atomic():
            subscription = subscribe(
                customer=customer,
                plan=get_plan(organization_id=organization_id, plan=fields["plan"]),
                starts_at=fields.get("starts_at") or now,
                seats=fields["seats"],
                anchor=fields["anchor"],
                trial_days=fields.get("trial_days"),
                key=fields.get("key"),
                usage=fields["usage"],
                ends_at=fields.get("ends_at"),
                now=now,
            )
            if reference := fields.get("coupon"):
                coupon = get_coupon(organization_id=organization_id, coupon=reference)
                since = min(now, subscription.starts_at)
                redeem_coupon(subscription=subscription, coupon=coupon, now=now, since=since)
        return Response(_shown(request, subscription.pk), status=201)


class SubscriptionView(APIView):
    required_permission = {"PATCH": Permission.MOVE_MONEY}
    answers = {"GET": answers.Subscription, "PATCH": answers.Subscription}

    def get(self, request: Any, subscription: str) -> Response:
        return Response(_shown(request, subscription))

    @extend_schema(request=SubscriptionPatchInput)
    def patch(self, request: Any, subscription: str) -> Response:
        body = SubscriptionPatchInput(data=request.data)
        body.is_valid(raise_exception=True)
        found = get_subscription(organization_id=request.auth.organization_id, subscription=subscription)
        set_end(subscription=found, ends_at=body.validated_data["ends_at"], now=clock_of(found.customer)())
        return Response(_shown(request, found.pk))


class ChangeView(APIView):
    """Other seats or another plan, now or at the end of the period."""

    required_permission = Permission.MOVE_MONEY
    answers = {"POST": answers.Subscription}

    @extend_schema(request=ChangeInput)
    def post(self, request: Any, subscription: str) -> Response:
        body = ChangeInput(data=request.data)
        body.is_valid(raise_exception=True)
        organization_id, fields = request.auth.organization_id, body.validated_data
        found = get_subscription(organization_id=organization_id, subscription=subscription)
        terms = {"when": fields["when"], "now": clock_of(found.customer)()}
        if "plan" in fields:
            version = newest_version(get_plan(organization_id=organization_id, plan=fields["plan"]))
            change_plan(subscription=found, version=version, seats=fields.get("seats"), **terms)
        else:
            change_seats(subscription=found, seats=fields["seats"], **terms)
        return Response(_changed(request, found))


class OverridesView(APIView):
    """Prices of the subscription's own, in place of some of its plan's."""

    required_permission = Permission.MOVE_MONEY
    answers = {"POST": answers.Subscription}

    @extend_schema(request=OverridesInput)
    def post(self, request: Any, subscription: str) -> Response:
        body = OverridesInput(data=request.data)
        body.is_valid(raise_exception=True)
        found = get_subscription(organization_id=request.auth.organization_id, subscription=subscription)
        override_prices(subscription=found, now=clock_of(found.customer)(), **body.validated_data)
        return Response(_changed(request, found))


class CancelView(APIView):
    required_permission = Permission.MOVE_MONEY
    answers = {"POST": answers.Subscription}

    @extend_schema(request=CancelInput)
    def post(self, request: Any, subscription: str) -> Response:
        body = CancelInput(data=request.data)
        body.is_valid(raise_exception=True)
        found = get_subscription(organization_id=request.auth.organization_id, subscription=subscription)
        now = clock_of(found.customer)()
        ends_at = now
        if body.validated_data["when"] == "period_end":
            ends_at = current_period_end(found, max(now, found.starts_at))
        cancel_subscription(subscription=found, ends_at=ends_at, now=now)
        return Response(_shown(request, found.pk))


class PauseView(APIView):
    """`pause` and `resume`: the days between them cost nothing."""

    required_permission = Permission.MOVE_MONEY
    answers = {"POST": answers.Subscription}

    @extend_schema(request=None)
    def post(self, request: Any, subscription: str, action: str) -> Response:
        actions: dict[str, Callable[..., Any]] = {"pause": pause_subscription, "resume": resume_subscription}
        return _done(request, subscription, actions[action])


class UncancelView(APIView):
    """Take back an end that is to come."""

    required_permission = Permission.MOVE_MONEY
    answers = {"POST": answers.Subscription}

    @extend_schema(request=None)
    def post(self, request: Any, subscription: str) -> Response:
        return _done(request, subscription, uncancel_subscription)


class EndTrialView(APIView):
    """End the trial: paid time begins now."""

    required_permission = Permission.MOVE_MONEY
    answers = {"POST": answers.Subscription}

    @extend_schema(request=None)
    def post(self, request: Any, subscription: str) -> Response:
        return _done(request, subscription, end_trial)


class AddOnsView(APIView):
    """Plans charged beside the subscription's own."""

    required_permission = Permission.MOVE_MONEY
    statuses = {"POST": 201}
    answers = {"POST": answers.Subscription}

    @extend_schema(request=AddOnInput)
    @clicked_once
    @idempotent
    def post(self, request: Any, subscription: str) -> Response:
        body = AddOnInput(data=request.data)
        body.is_valid(raise_exception=True)
        organization_id = request.auth.organization_id
        found = get_subscription(organization_id=organization_id, subscription=subscription)
        plan = get_plan(organization_id=organization_id, plan=body.validated_data["plan"])
        add_add_on(
            subscription=found,
            version=newest_version(plan),
            quantity=body.validated_data["quantity"],
            now=clock_of(found.customer)(),
        )
        return Response(_shown(request, found.pk), status=201)


class AddOnView(APIView):
    required_permission = Permission.MOVE_MONEY
    answers = {"POST": answers.Subscription}

    @extend_schema(request=CancelInput)
    def post(self, request: Any, subscription: str, add_on: str) -> Response:
        body = CancelInput(data=request.data)
        body.is_valid(raise_exception=True)
        found = get_subscription(organization_id=request.auth.organization_id, subscription=subscription)
        when = body.validated_data["when"]
        remove_add_on(subscription=found, add_on=add_on, when=when, now=clock_of(found.customer)())
        return Response(_shown(request, found.pk))
