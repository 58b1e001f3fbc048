"""Subscriptions and what may change about them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.db import transaction
from drf_spectacular.utils import extend_schema
from rest_framework.response import Response
from rest_framework.views import APIView

from billing.api import answers, present
from billing.api.serializers import AddOnInput, CancelInput, ChangeInput, OverridesInput, SubscriptionInput
from billing.queries.bills import period_end
from billing.queries.catalogue import get_plan, newest_version
from billing.queries.clocks import clock_of
from billing.queries.coupons import get_coupon
from billing.queries.customers import get_customer, get_subscription, subscriptions_of
from billing.services.changes import (
    add_add_on,
    cancel_subscription,
    change_plan,
    change_seats,
    pause_subscription,
    remove_add_on,
    resume_subscription,
)
from billing.services.coupons import redeem_coupon
from billing.services.customers import subscribe
from billing.services.versions import override_prices
from rest.idempotency import idempotent
from rest.pagination import page
from rest.schema import page_of


def _shown(request: Any, subscription: str) -> dict[str, Any]:
    return present.subscription(
        get_subscription(organization_id=request.auth.organization_id, subscription=subscription)
    )


class SubscriptionsView(APIView):
    answers = {"GET": page_of(answers.Subscription), "POST": answers.Subscription}
    filters = ("customer",)

    def get(self, request: Any) -> Response:
        rows = subscriptions_of(request.auth.organization_id)
        if customer := request.query_params.get("customer"):
            rows = rows.filter(customer=get_customer(organization_id=request.auth.organization_id, customer=customer))
        return Response(page(rows, request.query_params, present.subscription))

    @extend_schema(request=SubscriptionInput)
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
            )
            if reference := fields.get("coupon"):
                coupon = get_coupon(organization_id=organization_id, coupon=reference)
                since = min(now, subscription.starts_at)
                redeem_coupon(subscription=subscription, coupon=coupon, now=now, since=since)
        return Response(_shown(request, subscription.pk), status=201)


class SubscriptionView(APIView):
    answers = {"GET": answers.Subscription}

    def get(self, request: Any, subscription: str) -> Response:
        return Response(_shown(request, subscription))


class ChangeView(APIView):
    """Other seats or another plan, now or at the end of the period."""

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
        return Response(_shown(request, found.pk))


class OverridesView(APIView):
    """Prices of the subscription's own, in place of some of its plan's."""

    answers = {"POST": answers.Subscription}

    @extend_schema(request=OverridesInput)
    def post(self, request: Any, subscription: str) -> Response:
        body = OverridesInput(data=request.data)
        body.is_valid(raise_exception=True)
        found = get_subscription(organization_id=request.auth.organization_id, subscription=subscription)
        override_prices(subscription=found, now=clock_of(found.customer)(), **body.validated_data)
        return Response(_shown(request, found.pk))


class CancelView(APIView):
    answers = {"POST": answers.Subscription}

    @extend_schema(request=CancelInput)
    def post(self, request: Any, subscription: str) -> Response:
        body = CancelInput(data=request.data)
        body.is_valid(raise_exception=True)
        found = get_subscription(organization_id=request.auth.organization_id, subscription=subscription)
        now = clock_of(found.customer)()
        ends_at = now
        if body.validated_data["when"] == "period_end":
            ends_at = period_end(found, max(now, found.starts_at))
        cancel_subscription(subscription=found, ends_at=ends_at, now=now)
        return Response(_shown(request, found.pk))


class PauseView(APIView):
    """`pause` and `resume`: the days between them cost nothing."""

    answers = {"POST": answers.Subscription}

    @extend_schema(request=None)
    def post(self, request: Any, subscription: str, action: str) -> Response:
        found = get_subscription(organization_id=request.auth.organization_id, subscription=subscription)
        actions: dict[str, Callable[..., Any]] = {"pause": pause_subscription, "resume": resume_subscription}
        actions[action](subscription=found, now=clock_of(found.customer)())
        return Response(_shown(request, found.pk))


class AddOnsView(APIView):
    """Plans charged beside the subscription's own."""

    answers = {"POST": answers.Subscription}

    @extend_schema(request=AddOnInput)
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
    answers = {"POST": answers.Subscription}

    @extend_schema(request=CancelInput)
    def post(self, request: Any, subscription: str, add_on: str) -> Response:
        body = CancelInput(data=request.data)
        body.is_valid(raise_exception=True)
        found = get_subscription(organization_id=request.auth.organization_id, subscription=subscription)
        when = body.validated_data["when"]
        remove_add_on(subscription=found, add_on=add_on, when=when, now=clock_of(found.customer)())
        return Response(_shown(request, found.pk))
