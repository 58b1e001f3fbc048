"""How an organization collects, its account at Stripe, and the meters there that it feeds."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework.response import Response
from rest_framework.views import APIView

from collection.api import answers, inputs, present
from collection.queries.accounts import policy_of, stripe_account_of
from collection.queries.usage import get_stripe_meter, stripe_meters_of
from collection.services.accounts import (
    change_policy,
    check_stripe,
    connect_stripe,
    disconnect_stripe,
    set_webhook_secret,
)
from collection.services.usage import map_meter, unmap_meter
from kernel.clock import system_clock
from rest.access import Permission
from rest.pagination import page
from rest.schema import page_of


class CollectionPolicyView(APIView):
    """Whether and how the organization collects what is due."""

    required_permission = {"PATCH": Permission.MOVE_MONEY}
    answers = {"GET": answers.CollectionPolicy, "PATCH": answers.CollectionPolicy}

    def get(self, request: Any) -> Response:
        return Response(present.policy(policy_of(request.auth.organization_id)))

    @extend_schema(request=inputs.PolicyInput)
    def patch(self, request: Any) -> Response:
        body = inputs.PolicyInput(data=request.data, partial=True)
        body.is_valid(raise_exception=True)
        changed = change_policy(
            organization_id=request.auth.organization_id,
            now=system_clock(),
            actor=request.auth.hint,
            **body.validated_data,
        )
        return Response(present.policy(changed))


class StripeAccountView(APIView):
    """The account that money is taken by. Its secrets are kept encrypted and never answered."""

    required_permission = {
        "PUT": Permission.CONNECT_PROVIDERS,
        "PATCH": Permission.CONNECT_PROVIDERS,
        "DELETE": Permission.CONNECT_PROVIDERS,
    }
    answers = {"GET": answers.StripeAccount, "PUT": answers.StripeAccount, "PATCH": answers.StripeAccount}

    def get(self, request: Any) -> Response:
        shown = present.stripe_account(stripe_account_of(request.auth.organization_id))
        # The address is a secret: with it, anyone could send events in Stripe's name until a signing secret is set.
        may_connect = Permission.CONNECT_PROVIDERS in request.auth.permissions
        return Response(shown if may_connect else shown | {"webhook_url": ""})

    @extend_schema(request=inputs.StripeAccountInput)
    def put(self, request: Any) -> Response:
        """Connect an account, or give another key. Stripe is asked whether it takes the key."""
        body = inputs.StripeAccountInput(data=request.data)
        body.is_valid(raise_exception=True)
        account = connect_stripe(
            organization_id=request.auth.organization_id,
            now=system_clock(),
            actor=request.auth.hint,
            **body.validated_data,
        )
        return Response(present.stripe_account(account))

    @extend_schema(request=inputs.WebhookSecretInput)
    def patch(self, request: Any) -> Response:
        """Give the signing secret of the webhook endpoint that was made at Stripe for `webhook_url`."""
        body = inputs.WebhookSecretInput(data=request.data)
        body.is_valid(raise_exception=True)
        stripe_account_of(request.auth.organization_id)
        account = set_webhook_secret(
            organization_id=request.auth.organization_id,
            now=system_clock(),
            actor=request.auth.hint,
            **body.validated_data,
        )
        return Response(present.stripe_account(account))

    def delete(self, request: Any) -> Response:
        """Forget the key."""
        stripe_account_of(request.auth.organization_id)
        disconnect_stripe(organization_id=request.auth.organization_id, actor=request.auth.hint)
        return Response(status=204)


class StripeTestView(APIView):
    """Asks Stripe whether it still takes the key."""

    required_permission = Permission.CONNECT_PROVIDERS
    answers = {"POST": answers.Started}

    @extend_schema(request=None)
    def post(self, request: Any) -> Response:
        check_stripe(organization_id=request.auth.organization_id)
        return Response({"status": "ok"})


class StripeMetersView(APIView):
    """Which meters feed which Billing Meters, for customers whom Stripe invoices."""

    required_permission = {"POST": Permission.CONNECT_PROVIDERS}
    statuses = {"POST": 201}
    answers = {"GET": page_of(answers.StripeMeter), "POST": answers.StripeMeter}

    def get(self, request: Any) -> Response:
        rows = stripe_meters_of(request.auth.organization_id)
        return Response(page(rows, request.query_params, present.stripe_meter))

    @extend_schema(request=inputs.StripeMeterInput)
    def post(self, request: Any) -> Response:
        body = inputs.StripeMeterInput(data=request.data)
        body.is_valid(raise_exception=True)
        fields = {"since": system_clock(), **body.validated_data}
        made = map_meter(organization_id=request.auth.organization_id, actor=request.auth.hint, **fields)
        return Response(present.stripe_meter(made), status=201)


class StripeMeterView(APIView):
    required_permission = {"DELETE": Permission.CONNECT_PROVIDERS}
    answers = {"GET": answers.StripeMeter}

    def get(self, request: Any, meter: str) -> Response:
        found = get_stripe_meter(organization_id=request.auth.organization_id, meter=meter)
        return Response(present.stripe_meter(found))

    def delete(self, request: Any, meter: str) -> Response:
        """Push no more of it; what was pushed stays at Stripe."""
        found = get_stripe_meter(organization_id=request.auth.organization_id, meter=meter)
        unmap_meter(stripe_meter=found, actor=request.auth.hint)
        return Response(status=204)
