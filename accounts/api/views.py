"""Members, invitations, API keys and the audit trail. All of it needs a key with the scope `admin`."""

from __future__ import annotations

from functools import partial
from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.api import answers as shapes
from accounts.queries import (
    audit_entries_of,
    get_invitation,
    get_member,
    invitations_of,
    members_of,
)
from accounts.services.invitations import invite_member, revoke_invitation
from accounts.services.members import change_role, remove_member
from kernel.clock import system_clock
from kernel.errors import InvalidError
from rest.access import Permission
from rest.links import public_link
from rest.lookup import instant_parameter
from rest.pagination import page
from rest.schema import page_of


class MembersView(APIView):
    required_permission = Permission.SEE_MEMBERS
    answers = {"GET": page_of(shapes.MemberAnswer)}

    def get(self, request: Any) -> Response:
        return Response(page(members_of(request.auth.organization_id), request.query_params, shapes.present_member))


class MemberView(APIView):
    required_permission = {
        "GET": Permission.SEE_MEMBERS,
        "PATCH": Permission.MANAGE_MEMBERS,
        "DELETE": Permission.MANAGE_MEMBERS,
    }
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
        return Response(
            shapes.present_member(
                change_role(member=found, role=body.validated_data["role"], by=request.auth.acting_role)
            )
        )

    def delete(self, request: Any, member: str) -> Response:
        remove_member(
            member=get_member(organization_id=request.auth.organization_id, member=member), by=request.auth.acting_role
        )
        return Response(status=204)


class InvitationsView(APIView):
    required_permission = Permission.MANAGE_MEMBERS
    statuses = {"POST": 201}
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
            by=request.auth.acting_role,
            now=system_clock(),
            link_of=partial(public_link, "console:invitation"),
            **body.validated_data,
        )
        return Response(shapes.present_invitation(made) | {"link": link}, status=201)


class InvitationView(APIView):
    required_permission = Permission.MANAGE_MEMBERS

    def delete(self, request: Any, invitation: str) -> Response:
        found = get_invitation(organization_id=request.auth.organization_id, invitation=invitation)
        revoke_invitation(invitation=found, by=request.auth.acting_role, now=system_clock())
        return Response(status=204)


class AuditEntriesView(APIView):
    """Newest first. `action=invoice` has all that begins with `invoice.`."""

    required_permission = Permission.SEE_AUDIT
    answers = {"GET": page_of(shapes.AuditEntryAnswer)}
    filters = ("actor", "action", "target", "api_key", "address", "from", "to")

    def get(self, request: Any) -> Response:
        asked = request.query_params
        if any("\x00" in text for text in asked.values()):
            raise InvalidError("A filter cannot hold the character U+0000", code="filter_invalid")
        rows = audit_entries_of(
            request.auth.organization_id,
            actor=asked.get("actor"),
            action=asked.get("action"),
            target=asked.get("target"),
            api_key=asked.get("api_key"),
            address=asked.get("address"),
            start=instant_parameter(asked, "from"),
            end=instant_parameter(asked, "to"),
        )
        return Response(page(rows, asked, shapes.present_audit_entry, newest_first=True))
