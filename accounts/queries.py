from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from ipaddress import ip_address
from typing import Any

from django.db.models import OuterRef, Q, QuerySet, Subquery
from django_otp.plugins.otp_totp.models import TOTPDevice

from accounts.domain.bounds import present_role
from accounts.models import ApiKey, AuditEntry, Invitation, Membership, Organization, PortalAccess, User
from accounts.secrets import hash_secret
from kernel.errors import InvalidError, NotFoundError
from rest.lookup import find
from rest.statements import run

#: From how many of the latest audit entries the filters' choices are taken.
_CHOICES_FROM = 500


def get_organization(reference: str) -> Organization:
    """The organization with this key or id; `NotFoundError` where there is none."""
    found = Organization.objects.filter(Q(key=reference) | Q(public_id=reference)).first()
    if found is None:
        raise NotFoundError(f"There is no organization {reference!r}", code="organization_not_found")
    return found


def only_organization() -> Organization:
    """The one organization there is; `NotFoundError` where there are none or several."""
    found = list(Organization.objects.order_by("id")[:2])
    if len(found) != 1:
        raise NotFoundError(
            "Say which organization: there are several" if found else "There is no organization yet",
            code="organization_not_found",
        )
    return found[0]


def organizations_of(user: User) -> list[Organization]:
    """The organizations `user` is a member of, by name."""
    return list(Organization.objects.filter(memberships__user=user).order_by("name", "id"))


def membership_of(organization: Organization, user: User) -> Membership | None:
    return Membership.objects.filter(organization=organization, user=user).first()


def members_of(organization_id: int) -> QuerySet[Membership]:
    """The organization's members in the order in which they joined, with the people they are."""
    return Membership.objects.filter(organization_id=organization_id).select_related("user").order_by("id")


def get_member(*, organization_id: int, member: str) -> Membership:
    """The member with this number or e-mail address; `NotFoundError` with code `member_not_found`."""
    by = Q(pk=int(member)) if member.isascii() and member.isdigit() and len(member) < 18 else Q(user__email=member)
    found = members_of(organization_id).filter(by).first() if "\x00" not in member else None
    if found is None:
        raise NotFoundError(f"There is no member {member!r}", code="member_not_found")
    return found


def two_factor_users(user_ids: Iterable[int]) -> set[int]:
    """Those of the people who sign in by a second factor."""
    rows = TOTPDevice.objects.filter(user_id__in=list(user_ids), confirmed=True)
    return set(rows.values_list("user_id", flat=True))


def invitations_of(organization_id: int) -> QuerySet[Invitation]:
    """Invitations that were neither accepted nor taken back, expired ones among them."""
    rows = Invitation.objects.filter(organization_id=organization_id, accepted_at=None, revoked_at=None)
    return rows.order_by("id")


def get_invitation(*, organization_id: int, invitation: str) -> Invitation:
    rows = Invitation.objects.filter(organization_id=organization_id)
    return find(rows, invitation, what="invitation")


def invitation_with(token: str, *, now: datetime) -> Invitation | None:
    """The invitation that this token still opens."""
    rows = Invitation.objects.select_related("organization")
    return rows.filter(token_hash=hash_secret(token), accepted_at=None, revoked_at=None, expires_at__gt=now).first()


def role_in(organization_id: int, user: User | int) -> str | None:
    """Present role of a person in an organization; None for no access."""
    rows = User.objects.filter(pk=user if isinstance(user, int) else user.pk)
    found = rows.annotate(role=_membership_role(organization_id, OuterRef("pk"))).first()
    if found is None:
        return None
    return present_role(is_active=found.is_active, is_superuser=found.is_superuser, role=found.role)


def _membership_role(organization: Any, user: Any) -> Subquery:
    return Subquery(Membership.objects.filter(organization_id=organization, user_id=user).values("role")[:1])


def api_keys_of(organization_id: int, *, customer: str | None = None) -> QuerySet[ApiKey]:
    """The organization's keys, revoked ones too; those bound to `customer` (a customer's key) where it is given.

    Each knows its maker and their present role.
    """
    rows = ApiKey.objects.filter(organization_id=organization_id).select_related("maker")
    rows = rows.annotate(**{"membership_role": _membership_role(organization_id, OuterRef("maker_id"))})
    return (rows if customer is None else rows.filter(customer=customer)).order_by("id")


def keys_to_review(organization_id: int, *, customer: str | None = None) -> QuerySet[ApiKey]:
    """Keys that are not revoked and that a member should look at: marked so, or without a maker who has access."""
    has_left = Q(has_maker=True) & (
        Q(maker=None) | Q(maker__is_active=False) | Q(membership_role=None, maker__is_superuser=False)
    )
    return api_keys_of(organization_id, customer=customer).filter(Q(needs_review=True) | has_left, revoked_at=None)


def get_api_key(*, organization_id: int, api_key: str, customer: str | None = None) -> ApiKey:
    return find(api_keys_of(organization_id, customer=customer), api_key, what="api_key")


_KEY = """
SELECT k.id, k.organization_id, k.name, k.hint, k.scopes, k.created_at, k.expires_at, k.last_used_at, k.customer,
    k.has_maker, k.bounds, k.maker_id, u.is_active, u.is_superuser, m.role,
    o.public_id, o.key, o.name, o.created_at
FROM accounts_apikey k JOIN accounts_organization o ON o.id = k.organization_id
LEFT JOIN accounts_user u ON u.id = k.maker_id
LEFT JOIN accounts_membership m ON m.user_id = k.maker_id AND m.organization_id = k.organization_id
WHERE k.secret_hash = %s AND k.revoked_at IS NULL
"""


def api_key_with(secret: str) -> ApiKey | None:
    """The key with this secret that is not revoked, with its organization and its maker's present role.

    One query, as every request makes it. The caller knows the time, and sees if the key has expired or ended.
    """
    secret_hash = hash_secret(secret)
    row = run(_KEY, [secret_hash]).fetchone()
    if row is None:
        return None
    key_id, organization_id, name, hint, scopes, created_at, expires_at, last_used_at, customer = row[:9]
    has_maker, bounds, maker_id, is_active, is_superuser, role, *organization = row[9:]
    key = ApiKey(
        id=key_id,
        organization_id=organization_id,
        name=name,
        secret_hash=secret_hash,
        hint=hint,
        scopes=scopes,
        created_at=created_at,
        expires_at=expires_at,
        last_used_at=last_used_at,
        customer=customer,
        has_maker=has_maker,
        bounds=bounds,
        maker_id=maker_id,
    )
    key.membership_role = role
    key.maker = None if maker_id is None else User(id=maker_id, is_active=is_active, is_superuser=is_superuser)
    key.organization = Organization(organization_id, *organization)
    key._state.adding = key.organization._state.adding = False
    return key


def audit_entries_of(
    organization_id: int,
    *,
    actor: str | None = None,
    action: str | None = None,
    target: str | None = None,
    api_key: str | None = None,
    address: str | None = None,
    start: datetime | None = None,
    end: datetime | None = None,
) -> QuerySet[AuditEntry]:
    """Entries that meet all that is given: an action `invoice` has `invoice.pay` among it. The caller orders by id.

    Raises `InvalidError` for an `address` that is none.
    """
    rows = AuditEntry.objects.filter(organization_id=organization_id)
    if actor:
        rows = rows.filter(actor=actor)
    if action:
        rows = rows.filter(Q(action=action) | Q(action__startswith=f"{action}."))
    if target:
        rows = rows.filter(target=target)
    if api_key:
        rows = rows.filter(api_key=api_key)
    if address:
        rows = rows.filter(address=_address(address))
    if start:
        rows = rows.filter(at__gte=start)
    if end:
        rows = rows.filter(at__lt=end)
    return rows


def _address(text: str) -> str:
    try:
        return str(ip_address(text.strip()))
    except ValueError:
        raise InvalidError("address must be an IPv4 or IPv6 address", code="filter_invalid") from None


def audit_choices(organization_id: int) -> tuple[list[str], list[str]]:
    """Who has acted lately, and what was done: of the latest entries, to choose from."""
    latest = AuditEntry.objects.filter(organization_id=organization_id).order_by("-id").values_list("actor", "action")
    found = list(latest[:_CHOICES_FROM])
    return sorted({actor for actor, _ in found}), sorted({action for _, action in found})


def portal_access_with_token(token: str, *, now: datetime) -> PortalAccess | None:
    """The access that this link still opens."""
    rows = PortalAccess.objects.select_related("organization")
    return rows.filter(token_hash=hash_secret(token), used_at=None, revoked_at=None, expires_at__gt=now).first()


def portal_access_with_session(secret: str, *, now: datetime) -> PortalAccess | None:
    """The access whose session this is, unless it has ended."""
    rows = PortalAccess.objects.select_related("organization")
    return rows.filter(session_hash=hash_secret(secret), revoked_at=None, session_expires_at__gt=now).first()


def portal_accesses_of(organization_id: int, customer: str, *, now: datetime) -> QuerySet[PortalAccess]:
    """Links of a customer that still work, and sessions that go on, newest first."""
    rows = PortalAccess.objects.filter(organization_id=organization_id, customer=customer, revoked_at=None)
    return rows.filter(Q(used_at=None, expires_at__gt=now) | Q(session_expires_at__gt=now)).order_by("-id")
