"""Members, invitations, API keys and the audit trail. All of it needs a key with the scope `admin`."""

from __future__ import annotations

from typing import Any

from django.urls import reverse
from drf_spectacular.utils import extend_schema
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.api import answers as shapes
from accounts.queries import (
    api_keys_of,
    audit_entries_of,
    get_api_key,
    get_invitation,
    get_member,
    invitations_of,
    members_of,
)
from accounts.services.api_keys import create_api_key, revoke_api_key
from accounts.services.invitations import invite_member, revoke_invitation
from accounts.services.members import change_role, remove_member
from kernel.clock import system_clock
from kernel.errors import InvalidError
from rest.lookup import instant_parameter
from rest.pagination import page
from rest.permissions import ADMIN
from rest.schema import page_of


class AdminView(APIView):
    required_scope = ADMIN


class MembersView(AdminView):
    answers = {"GET": page_of(shapes.MemberAnswer)}

    def get(self, request: Any) -> Response:
        return Response(page(members_of(request.auth.organization_id), request.query_params, shapes.present_member))


class MemberView(AdminView):
    answers = {"GET": shapes.MemberAnswer, "PATCH": shapes.MemberAnswer}

    def get(self, request: Any, member: str) -> Response:
        found = get_member(organization_id=request.auth.organization_id, member=member)
        return Response(shapes.present_member(found))

    @extend_schema(request=shapes.RoleInput)
    def patch(self, request: Any, member: str) -> Response:
        """Another role. The last owner stays one: 409 `last_owner`."""
        body = shapes.RoleInput(data=request.data)
        body.is_valid(raise_exception=True)
        found = get_member(organization_id=request.auth.organization_id, member=member)
        return Response(shapes.present_member(change_role(member=found, role=body.validated_data["role"], by=None)))

    def delete(self, request: Any, member: str) -> Response:
        remove_member(member=get_member(organization_id=request.auth.organization_id, member=member), by=None)
        return Response(status=204)


class InvitationsView(AdminView):
    answers = {"GET": page_of(shapes.InvitationAnswer), "POST": shapes.InvitationAnswer}

    def get(self, request: Any) -> Response:
        rows = invitations_of(request.auth.organization_id)
        return Response(page(rows, request.query_params, shapes.present_invitation))

    @extend_schema(request=shapes.InvitationInput)
    def post(self, request: Any) -> Response:
        """Sends an invitation by mail; its link is in this answer and nowhere else."""
        body = shapes.InvitationInput(data=request.data)
        body.is_valid(raise_exception=True)
        made, link = invite_member(
            organization=request.auth.organization,
            by=None,
            now=system_clock(),
            link_of=lambda token: request.build_absolute_uri(reverse("console:invitation", args=[token])),
            **body.validated_data,
        )
        return Response(shapes.present_invitation(made) | {"link": link}, status=201)


class InvitationView(AdminView):
    def delete(self, request: Any, invitation: str) -> Response:
        found = get_invitation(organization_id=request.auth.organization_id, invitation=invitation)
        revoke_invitation(invitation=found, by=None, now=system_clock())
        return Response(status=204)


class ApiKeysView(AdminView):
    answers = {"GET": page_of(shapes.ApiKeyAnswer), "POST": shapes.ApiKeyAnswer}
    filters = ("customer",)

    def get(self, request: Any) -> Response:
        rows = api_keys_of(request.auth.organization_id, customer=request.query_params.get("customer") or None)
        return Response(page(rows, request.query_params, shapes.present_api_key))

    @extend_schema(request=shapes.ApiKeyInput)
    def post(self, request: Any) -> Response:
        """Makes a key. Its secret is in this answer and nowhere else, so no `Idempotency-Key` brings it back."""
        body = shapes.ApiKeyInput(data=request.data)
        body.is_valid(raise_exception=True)
        expires_at = body.validated_data["expires_at"]
        if expires_at is not None and expires_at <= system_clock():
            raise InvalidError("expires_at lies behind", code="expires_at_invalid")
        key, secret = create_api_key(organization=request.auth.organization, **body.validated_data)
        return Response(shapes.present_api_key(key) | {"secret": secret}, status=201)


class ApiKeyView(AdminView):
    answers = {"GET": shapes.ApiKeyAnswer}

    def get(self, request: Any, api_key: str) -> Response:
        found = get_api_key(organization_id=request.auth.organization_id, api_key=api_key)
        return Response(shapes.present_api_key(found))

    def delete(self, request: Any, api_key: str) -> Response:
        """Revokes it; it stays in the list."""
        found = get_api_key(organization_id=request.auth.organization_id, api_key=api_key)
        revoke_api_key(key=found, at=system_clock())
        return Response(status=204)


class AuditEntriesView(AdminView):
    """Newest first. `action=invoice` has all that begins with `invoice.`."""

    answers = {"GET": page_of(shapes.AuditEntryAnswer)}
    filters = ("actor", "action", "target", "from", "to")

    def get(self, request: Any) -> Response:
        asked = request.query_params
        if any("\x00" in text for text in asked.values()):
            raise InvalidError("A filter cannot hold the character U+0000", code="filter_invalid")
        rows = audit_entries_of(
            request.auth.organization_id,
            actor=asked.get("actor"),
            action=asked.get("action"),
            target=asked.get("target"),
            start=instant_parameter(asked, "from"),
            end=instant_parameter(asked, "to"),
        )
        return Response(page(rows, asked, shapes.present_audit_entry, newest_first=True))
