"""What the API answers about members, keys and the audit trail."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from accounts.models import ApiKey, AuditEntry, Invitation, Membership, Role
from kernel.clock import system_clock
from rest.access import SCOPES, Permission
from rest.serializers import AnyField, CustomerKeyField, InstantField, Shape, StrictSerializer


class MemberAnswer(serializers.Serializer[Any]):
    id = serializers.CharField()
    email = serializers.CharField()
    name = serializers.CharField()
    role = serializers.ChoiceField(Role.choices)


class InvitationAnswer(serializers.Serializer[Any]):
    """`link` is only there when it is made."""

    id = serializers.CharField()
    email = serializers.CharField()
    role = serializers.ChoiceField(Role.choices)
    invited_by = serializers.CharField()
    created_at = InstantField()
    expires_at = InstantField()
    link = serializers.CharField(required=False)


class ApiKeyAnswer(Shape):
    """`secret` is only there when it is created. `last_used_at` is exact to ten minutes.

    `maker` is the member who answers for it, null for a key of the operator of the server, of a customer, or one
    that has ended. `permissions` are what it may do at present, by its scopes and its maker's role; `parent` is the
    key that created it, with which it ends.
    """

    id = serializers.CharField()
    name = serializers.CharField()
    hint = serializers.CharField()
    scopes = serializers.ListField(child=serializers.ChoiceField(SCOPES))
    customer = serializers.CharField(allow_null=True)
    created_at = InstantField()
    created_by = serializers.CharField()
    expires_at = InstantField(allow_null=True)
    last_used_at = InstantField(allow_null=True)
    revoked_at = InstantField(allow_null=True)
    maker = serializers.CharField(allow_null=True)
    parent = serializers.CharField(allow_null=True)
    status = serializers.ChoiceField(["active", "expired", "ended", "revoked"])
    needs_review = serializers.BooleanField()
    permissions = serializers.ListField(child=serializers.ChoiceField([str(one) for one in Permission]))
    secret = serializers.CharField(required=False)


class AuditEntryAnswer(serializers.Serializer[Any]):
    """`detail` has `before` and `after` where something changed. `api_key` is the id of the key that acted, `address`
    the client's."""

    id = serializers.CharField()
    at = InstantField()
    actor = serializers.CharField()
    action = serializers.CharField()
    target = serializers.CharField()
    api_key = serializers.CharField(allow_null=True)
    address = serializers.CharField(allow_null=True)
    detail = AnyField()


class InvitationInput(StrictSerializer):
    email = serializers.CharField(max_length=254)
    role = serializers.CharField(max_length=20)


class HandOverInput(StrictSerializer):
    """`member`: the id or e-mail address of the member who answers for the key from now on."""

    member = serializers.CharField(max_length=254)


class RoleInput(StrictSerializer):
    role = serializers.CharField(max_length=20)


class ApiKeyInput(StrictSerializer):
    name = serializers.CharField(max_length=200, allow_blank=True, default="")
    scopes = serializers.ListField(child=serializers.CharField(max_length=20), max_length=10)
    customer = CustomerKeyField(allow_null=True, default=None)
    expires_at = InstantField(allow_null=True, default=None)


def present_member(member: Membership) -> dict[str, object]:
    name = member.user.get_full_name()
    return {"id": str(member.pk), "email": member.user.email, "name": name, "role": member.role}


def present_invitation(one: Invitation) -> dict[str, object]:
    names = ("id", "email", "role", "invited_by", "created_at", "expires_at")
    return {name: getattr(one, name) for name in names}


def present_api_key(key: ApiKey) -> dict[str, object]:
    names = ("id", "name", "hint", "scopes", "customer", "created_at", "created_by", "expires_at", "last_used_at")
    return {name: getattr(key, name) for name in names} | {
        "revoked_at": key.revoked_at,
        "maker": key.maker.email if key.maker else None,
        "parent": key.parent_id,
        "status": key.status(system_clock()),
        "needs_review": key.revoked_at is None and (key.needs_review or key.has_ended),
        "permissions": [str(one) for one in key.permissions],
    }


def present_audit_entry(entry: AuditEntry) -> dict[str, object]:
    return {
        name: getattr(entry, name) for name in ("id", "at", "actor", "action", "target", "api_key", "address", "detail")
    }
