"""API keys: created, listed, reviewed, handed over and revoked. All of it needs a key with the scope `admin`."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.api import answers as shapes
from accounts.queries import api_keys_of, get_api_key, get_member, keys_to_review
from accounts.services.api_keys import create_api_key, revoke_api_key
from accounts.services.key_makers import hand_over_api_key, review_api_key
from kernel.clock import system_clock
from kernel.errors import InvalidError
from rest.access import Permission
from rest.pagination import page
from rest.schema import page_of


class ApiKeysView(APIView):
    """`needs_review=true` lists those that a member should look at: their maker left, or may do something else now."""

    required_permission = Permission.MANAGE_KEYS
    statuses = {"POST": 201}
    answers = {"GET": page_of(shapes.ApiKeyAnswer), "POST": shapes.ApiKeyAnswer}
    filters = ("customer", "needs_review")

    def get(self, request: Any) -> Response:
        organization_id, asked = request.auth.organization_id, request.query_params
        needs_review = asked.get("needs_review", "false")
        if needs_review not in {"true", "false"}:
            raise InvalidError("needs_review is true or false", code="filter_invalid")
        customer = asked.get("customer") or None
        rows = api_keys_of(organization_id, customer=customer)
        if needs_review == "true":
            rows = keys_to_review(organization_id, customer=customer)
        return Response(page(rows, asked, shapes.present_api_key))

    @extend_schema(request=shapes.ApiKeyInput)
    def post(self, request: Any) -> Response:
        """Creates a key, which does no more than the one that creates it, and ends with it.

        Its secret is in this answer and nowhere else, so no `Idempotency-Key` brings it back.
        """
        body = shapes.ApiKeyInput(data=request.data)
        body.is_valid(raise_exception=True)
        expires_at = body.validated_data["expires_at"]
        if expires_at is not None and expires_at <= system_clock():
            raise InvalidError("expires_at lies behind", code="expires_at_invalid")
        key, secret = create_api_key(
            organization=request.auth.organization, made_by=request.auth, **body.validated_data
        )
        found = get_api_key(organization_id=key.organization_id, api_key=key.pk)
        return Response(shapes.present_api_key(found) | {"secret": secret}, status=201)


class ApiKeyView(APIView):
    required_permission = Permission.MANAGE_KEYS
    answers = {"GET": shapes.ApiKeyAnswer}

    def get(self, request: Any, api_key: str) -> Response:
        found = get_api_key(organization_id=request.auth.organization_id, api_key=api_key)
        return Response(shapes.present_api_key(found))

    def delete(self, request: Any, api_key: str) -> Response:
        """Revokes it, and the keys that it created; they stay in the list."""
        found = get_api_key(organization_id=request.auth.organization_id, api_key=api_key)
        revoke_api_key(key=found, at=system_clock(), by=request.auth)
        return Response(status=204)


class HandOverView(APIView):
    """Makes another member answer for a key, who may have all its scopes. It never does more than before."""

    required_permission = Permission.MANAGE_KEYS
    answers = {"POST": shapes.ApiKeyAnswer}

    @extend_schema(request=shapes.HandOverInput)
    def post(self, request: Any, api_key: str) -> Response:
        body = shapes.HandOverInput(data=request.data)
        body.is_valid(raise_exception=True)
        organization_id = request.auth.organization_id
        found = get_api_key(organization_id=organization_id, api_key=api_key)
        member = get_member(organization_id=organization_id, member=body.validated_data["member"])
        return Response(shapes.present_api_key(hand_over_api_key(key=found, member=member, by=request.auth)))


class ReviewView(APIView):
    """Keeps a key that is listed for review as it is."""

    required_permission = Permission.MANAGE_KEYS
    answers = {"POST": shapes.ApiKeyAnswer}

    @extend_schema(request=None)
    def post(self, request: Any, api_key: str) -> Response:
        found = get_api_key(organization_id=request.auth.organization_id, api_key=api_key)
        return Response(shapes.present_api_key(review_api_key(key=found, by=request.auth)))
