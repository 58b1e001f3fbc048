"""Invitations: a link by mail that makes its receiver a member, once."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db import IntegrityError, transaction

from accounts.mail import queue_mail
from accounts.models import Invitation, Membership, Organization, Role, User
from accounts.secrets import hash_secret, new_secret
from accounts.services.audit import act_as, acting, record_audit, sender
from accounts.services.key_authority import role_of_sender
from accounts.services.members import add_member, require_may_give, require_role
from accounts.services.organizations import create_user
from kernel.clock import to_rfc3339
from kernel.errors import ConflictError, FieldError, ForbiddenError, InvalidError, NotFoundError
from kernel.text import require_text
from rest.access import Permission

#: How long an invitation may be accepted.
LIFETIME = timedelta(days=7)


class InvitationGone(NotFoundError):
    """The link is unknown, was used or taken back, or has expired: it says the same of all."""

    code = "invitation_not_found"


def invite_member(
    *,
    organization: Organization,
    email: str,
    role: str,
    by: str | None,
    now: datetime,
    link_of: Callable[[str], str],
) -> tuple[Invitation, str]:
    """An invitation, sent by mail, and its link, which is known this once. An open one to the same address ends.

    `link_of` makes the address of a page out of a token. Raises `InvalidError`, `RoleAboveOwn`, and `ConflictError`
    for who is a member already.
    """
    email = clean_email(email)
    require_may_give(by, require_role(role))
    if Membership.objects.filter(organization=organization, user__email=email).exists():
        raise ConflictError(f"{email} is a member already", code="member_exists")
    token = new_secret()
    link = link_of(token)
    with transaction.atomic():
        Organization.objects.select_for_update().get(pk=organization.pk)
        open_ones = Invitation.objects.filter(organization=organization, email=email, accepted_at=None, revoked_at=None)
        open_ones.update(revoked_at=now)
        made = Invitation.objects.create(
            organization=organization,
            email=email,
            role=role,
            invited_by=acting(),
            sender=sender(),
            token_hash=hash_secret(token),
            created_at=now,
            expires_at=now + LIFETIME,
        )
        record_audit(organization_id=organization.pk, action="member.invite", target=email, role=role)
        queue_mail(
            organization_id=organization.pk,
            kind="member_invited",
            to=[email],
            context={
                "organization": organization.name,
                "role": role,
                "invited_by": made.invited_by,
                "link": link,
                "expires_at": to_rfc3339(made.expires_at),
            },
            key=f"member_invited:{made.pk}",
            at=now,
        )
    return made, link


def revoke_invitation(*, invitation: Invitation, by: str | None, now: datetime) -> None:
    """The link opens nothing any more. Once more, nothing happens; an accepted one is a `ConflictError`."""
    require_may_give(by, invitation.role)
    with transaction.atomic():
        found = Invitation.objects.select_for_update().get(pk=invitation.pk)
        if found.accepted_at:
            raise ConflictError("This invitation was accepted already", code="invitation_accepted")
        if found.revoked_at is None:
            found.revoked_at = now
            found.save(update_fields=["revoked_at"])
            record_audit(
                organization_id=found.organization_id,
                action="member.revoke_invitation",
                target=found.email,
                role=found.role,
            )


def accept_invitation(
    *, token: str, now: datetime, user: User | None = None, name: str = "", password: str = ""
) -> tuple[Membership, User]:
    """Make the invited person a member: `user` who is signed in as that address, or else a new person.

    Raises `InvitationGone`, `ForbiddenError` for somebody else's address, `ConflictError` with code `sign_in_first`
    where the address has an account, and `InvalidError` for a password that is too weak.
    """
    require_text(name, field="name")
    with transaction.atomic():
        found = (
            Invitation.objects.select_for_update(of=("self",))
            .select_related("organization")
            .filter(token_hash=hash_secret(token), accepted_at=None, revoked_at=None, expires_at__gt=now)
            .first()
        )
        if found is None:
            raise InvitationGone("This invitation was used already, taken back, or has expired. Ask for a new one")
        if not _may_still_give(found, now):
            raise InvitationGone("The member who sent this invitation may no longer give this role. Ask for a new one")
        if user is None:
            user = _new_person(found.email, name, password)
        elif user.email != found.email:
            raise ForbiddenError(f"This invitation is for {found.email}", code="invitation_of_another")
        try:
            with transaction.atomic():
                member = add_member(organization=found.organization, user=user, role=found.role, is_new=True)
        except IntegrityError:
            raise ConflictError("You are a member already", code="member_exists") from None
        found.accepted_at = now
        found.save(update_fields=["accepted_at"])
        act_as(user.email, user_id=user.pk)
        record_audit(
            organization_id=found.organization_id,
            action="member.join",
            target=user.email,
            role=found.role,
            invited_by=found.invited_by,
        )
    return member, user


def _may_still_give(invitation: Invitation, now: datetime) -> bool:
    """True while the inviter, a person or a key, may give the role of the invitation."""
    own = role_of_sender(invitation.organization_id, invitation.sender, needs=Permission.MANAGE_MEMBERS, now=now)
    try:
        require_may_give(own or Role.VIEWER, invitation.role)
    except ForbiddenError:
        return False
    return True


def clean_email(email: str) -> str:
    """In small letters, as addresses are kept; `InvalidError` for what is none."""
    email = email.strip().lower()
    try:
        validate_email(email)
    except ValidationError:
        raise InvalidError("This is not an e-mail address", code="email_invalid") from None
    if len(email) > 254:
        raise InvalidError("This is not an e-mail address", code="email_invalid")
    return email


def require_password(password: str, user: User | None = None) -> None:
    """Raises `InvalidError` with code `password_weak` and what is wrong with it."""
    try:
        validate_password(password, user)
    except ValidationError as error:
        fields = [FieldError("/password", "password_weak", message) for message in error.messages]
        raise InvalidError(" ".join(error.messages), code="password_weak", errors=fields) from None


def _new_person(email: str, name: str, password: str) -> User:
    if User.objects.filter(email=email).exists():
        raise ConflictError("This address has an account: sign in first", code="sign_in_first")
    name = name.strip()[:150]
    first, _, last = name.partition(" ")
    require_password(password, User(email=email, first_name=first, last_name=last))
    return create_user(email=email, password=password, name=name)
