"""Sign-in by an organization's OpenID Connect provider: its settings, and who comes in by it in which role."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.db import transaction

from accounts import open_id
from accounts.models import CLIENT_SECRETS, Membership, Organization, Role, SignInIdentity, SignInProvider, User
from accounts.open_id import SignInRefused
from accounts.services.audit import act_as, record_audit, record_change
from accounts.services.invitations import clean_email
from accounts.services.members import LastOwner, change_role
from accounts.services.organizations import create_user
from kernel.errors import InvalidError, NotFoundError
from rest.encryption import decrypt, encrypt
from rest.links import public_link

#: Roles that a provider may give, from the one that may do most. Owners are made by owners.
GIVEN_ROLES = (Role.ADMIN, Role.FINANCE, Role.DEVELOPER, Role.VIEWER)
_MOST_ROLES = 100


def provider_of(organization: Organization) -> SignInProvider | None:
    return SignInProvider.objects.filter(organization=organization).first()


def provider_with_key(key: str) -> SignInProvider:
    """The provider of the organization with this key. Raises `NotFoundError`, the same for no organization."""
    found = SignInProvider.objects.select_related("organization").filter(organization__key=key).first()
    if found is None:
        raise NotFoundError("This organization has no sign-in of its own", code="sign_in_provider_not_found")
    return found


def save_provider(
    *,
    organization: Organization,
    issuer: str,
    client_id: str,
    client_secret: str | None,
    role_claim: str,
    roles: Mapping[str, str],
    is_required: bool,
    now: datetime,
) -> SignInProvider:
    """Enter or change the provider of an organization; `client_secret` None keeps the one there is.

    Raises `InvalidError` for roles that are none or owner's, and `UrlRefused` for an issuer that this server does not
    go to. Links to people at another issuer end with it.
    """
    open_id.require_address(issuer)
    if not client_id or len(client_id) > 255 or not role_claim or len(role_claim) > 100 or len(issuer) > 500:
        raise InvalidError("Enter an issuer, a client id and the claim that roles come from", code="provider_invalid")
    if not roles or len(roles) > _MOST_ROLES or not set(roles.values()) <= set(GIVEN_ROLES):
        raise InvalidError(
            f"Give one of the roles {', '.join(GIVEN_ROLES)} to at least one value of the claim", code="roles_invalid"
        )
    fields: dict[str, Any] = {
        "issuer": issuer,
        "client_id": client_id,
        "role_claim": role_claim,
        "roles": dict(roles),
        "is_required": is_required,
    }
    with transaction.atomic():
        Organization.objects.select_for_update().get(pk=organization.pk)
        before = provider_of(organization)
        if before is not None and before.issuer != issuer and client_secret is None:
            # Another provider must not be sent what this one was told.
            client_secret = ""
        secret = {} if client_secret is None else {"client_secret": _sealed(client_secret)}
        saved, _ = SignInProvider.objects.update_or_create(
            organization=organization, defaults=fields | secret, create_defaults=fields | secret | {"created_at": now}
        )
        SignInIdentity.objects.filter(organization=organization).exclude(issuer=issuer).delete()
        record_change(
            organization_id=organization.pk,
            action="sign_in_provider.update",
            target=organization.public_id,
            before={name: getattr(before, name, None) for name in fields},
            after=fields | ({} if client_secret is None else {"client_secret": "changed"}),
        )
    return saved


def remove_provider(*, organization: Organization) -> None:
    """Members sign in by password again; nothing happens where there is no provider."""
    with transaction.atomic():
        if SignInProvider.objects.filter(organization=organization).delete()[0]:
            SignInIdentity.objects.filter(organization=organization).delete()
            record_audit(
                organization_id=organization.pk, action="sign_in_provider.remove", target=organization.public_id
            )


def client_of(provider: SignInProvider) -> open_id.Client:
    stored = bytes(provider.client_secret)
    return open_id.Client(
        issuer=provider.issuer,
        client_id=provider.client_id,
        client_secret=decrypt(stored, purpose=CLIENT_SECRETS) if stored else "",
        redirect_uri=public_link("console:provider_answer"),
    )


def sign_in_by_claims(
    *, provider: SignInProvider, claims: Mapping[str, Any], signed_in: User | None, now: datetime
) -> User:
    """The person of a verified ID token, as a member in the role that the provider gives them.

    An unknown subject becomes a new account, or is linked to the account of `signed_in`, who proves to own it. An
    account with the same address is never taken over. Raises `SignInRefused`.
    """
    organization = provider.organization
    with transaction.atomic():
        Organization.objects.select_for_update().get(pk=organization.pk)
        role = _role_of(provider, claims)
        user = _person(provider, claims, signed_in, now)
        act_as(user.email)
        member = Membership.objects.filter(organization=organization, user=user).first()
        if member is None:
            Membership.objects.create(organization=organization, user=user, role=role)
            record_audit(
                organization_id=organization.pk,
                action="member.join",
                target=user.email,
                role=str(role),
                issuer=provider.issuer,
            )
        elif member.role != role:
            try:
                change_role(member=member, role=role, by=None)
            except LastOwner:
                raise SignInRefused(
                    f"Your provider makes you {role}, and you are the last owner. Sign in by password"
                ) from None
    return user


def _role_of(provider: SignInProvider, claims: Mapping[str, Any]) -> Role:
    """The highest role that the person's claim values have."""
    found = claims.get(provider.role_claim)
    values = found if isinstance(found, list) else [found]
    given = {provider.roles[value] for value in values if isinstance(value, str) and value in provider.roles}
    for role in GIVEN_ROLES:
        if role in given:
            return role
    raise SignInRefused(f"Your account at the provider has no role in {provider.organization.name}. Ask its owner")


def _person(provider: SignInProvider, claims: Mapping[str, Any], signed_in: User | None, now: datetime) -> User:
    subject = claims["sub"]
    known = (
        SignInIdentity.objects.select_related("user")
        .filter(organization=provider.organization, issuer=provider.issuer, subject=subject)
        .first()
    )
    if known is not None:
        _require_ordinary(known.user)
        known.last_used_at = now
        known.save(update_fields=["last_used_at"])
        return known.user
    try:
        email = clean_email(str(claims.get("email") or ""))
    except InvalidError:
        raise SignInRefused("The provider does not say your e-mail address") from None
    if claims.get("email_verified") is not True:
        raise SignInRefused("The provider has not verified your e-mail address")
    user = User.objects.filter(email=email).first()
    if user is None:
        user = create_user(email=email, password=None, name=str(claims.get("name") or "").replace("\x00", "")[:150])
    elif signed_in is None or signed_in.pk != user.pk:
        raise SignInRefused(
            f"{email} has an account here already. Sign in by password, and connect it under Sign-in and security"
        )
    _require_ordinary(user)
    SignInIdentity.objects.create(
        user=user,
        organization=provider.organization,
        issuer=provider.issuer,
        subject=subject,
        created_at=now,
        last_used_at=now,
    )
    return user


def _require_ordinary(user: User) -> None:
    """Operators see every organization: no organization's provider lets them in."""
    if not user.is_active or user.is_staff or user.is_superuser:
        raise SignInRefused("This account cannot sign in by a provider")


def _sealed(secret: str) -> bytes:
    return encrypt(secret, purpose=CLIENT_SECRETS) if secret else b""
