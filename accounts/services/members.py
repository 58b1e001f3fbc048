"""Who is a member, in which role. An organization always keeps an owner, whoever changes what at once."""

from __future__ import annotations

from django.db import transaction

from accounts.models import Membership, Organization, Role, User
from accounts.services.audit import acting, record_audit, record_change
from accounts.services.key_makers import end_keys_of, list_keys_for_review
from kernel.errors import ConflictError, ForbiddenError, InvalidError
from rest.access import TABLE, Permission, is_above


class LastOwner(ConflictError):
    code = "last_owner"


class RoleAboveOwn(ForbiddenError):
    code = "role_above_own"


def add_member(*, organization: Organization, user: User, role: str, is_new: bool = False) -> Membership:
    """Give `user` the `role` in `organization`, in place of any they had. With `is_new` they must have none:
    `IntegrityError` otherwise.

    API keys of an earlier membership stay ended.
    """
    had = Membership.objects.filter(organization=organization, user=user).first()
    if had is None:
        end_keys_of(organization_id=organization.pk, user_id=user.pk, role=None)
    elif had.role != role:
        list_keys_for_review(member=had)
    if is_new:
        return Membership.objects.create(organization=organization, user=user, role=role)
    membership, _ = Membership.objects.update_or_create(organization=organization, user=user, defaults={"role": role})
    return membership


def require_role(role: str) -> Role:
    """The role of this name; `InvalidError` with code `role_unknown` for none."""
    if role not in Role.values:
        raise InvalidError(f"A role is one of {', '.join(Role.values)}", code="role_unknown")
    return Role(role)


def require_may_give(own: str | None, role: str) -> None:
    """Raises `RoleAboveOwn` where somebody of the role `own` may not give, take or touch `role`.

    An API key acts in the weakest of the roles that bound it. None is the operator of this machine, who may give any.
    """
    if own is None:
        return
    if own not in TABLE[Permission.MANAGE_MEMBERS].roles or is_above(role, own):
        raise RoleAboveOwn(f"{own} may not decide who is {role}")


def change_role(*, member: Membership, role: str, by: str | None) -> Membership:
    """Another role for a member; `by` is the role of who says so.

    Raises `RoleAboveOwn`, and `LastOwner` where nobody would be owner any more.
    """
    wanted = require_role(role)
    with transaction.atomic():
        found = _locked(member)
        require_may_give(by, found.role)
        require_may_give(by, wanted)
        if found.role == Role.OWNER and wanted != Role.OWNER:
            _require_another_owner(found)
        before, found.role = found.role, wanted
        found.save(update_fields=["role"])
        if before != wanted:
            list_keys_for_review(member=found)
        record_change(
            organization_id=found.organization_id,
            action="member.change_role",
            target=found.user.email,
            before={"role": str(before)},
            after={"role": str(wanted)},
        )
    return found


def remove_member(*, member: Membership, by: str | None) -> None:
    """Remove a member; their account and other memberships stay, and their API keys end until they are handed over.

    Members may leave by themselves.

    Raises as `change_role`.
    """
    with transaction.atomic():
        found = _locked(member)
        if found.user.email != acting():
            require_may_give(by, found.role)
        if found.role == Role.OWNER:
            _require_another_owner(found)
        end_keys_of(organization_id=found.organization_id, user_id=found.user_id, role=found.role)
        found.delete()
        record_audit(
            organization_id=found.organization_id, action="member.remove", target=found.user.email, role=found.role
        )


def require_two_factor(*, organization: Organization, required: bool) -> Organization:
    """Whether members see this organization only after a second factor."""
    with transaction.atomic():
        found = Organization.objects.select_for_update().get(pk=organization.pk)
        before, found.requires_two_factor = found.requires_two_factor, required
        found.save(update_fields=["requires_two_factor"])
        record_change(
            organization_id=found.pk,
            action="organization.update",
            target=found.public_id,
            before={"requires_two_factor": before},
            after={"requires_two_factor": required},
        )
    return found


def _locked(member: Membership) -> Membership:
    """The member as it is now. Changes of an organization's members happen one after the other."""
    Organization.objects.select_for_update().get(pk=member.organization_id)
    found = Membership.objects.select_related("user", "organization").filter(pk=member.pk).first()
    if found is None:
        raise ConflictError("This member was removed meanwhile", code="member_gone")
    return found


def _require_another_owner(member: Membership) -> None:
    others = Membership.objects.filter(organization_id=member.organization_id, role=Role.OWNER).exclude(pk=member.pk)
    if not others.filter(user__is_active=True).exists():
        raise LastOwner("An organization keeps at least one owner: make somebody else an owner first")
