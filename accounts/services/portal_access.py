"""A customer's way into the portal: a link that works once, and the session it becomes."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

from django.db import transaction

from accounts.models import Organization, PortalAccess
from accounts.secrets import hash_secret, new_secret
from accounts.services.audit import acting, record_audit, sender
from accounts.services.key_authority import role_of_sender
from kernel.errors import InvalidError, NotFoundError
from rest.access import Permission

#: How long links work: one that was asked for by mail, one made by an operator, and at most.
ASKED_FOR = timedelta(hours=1)
MADE = timedelta(hours=24)
LONGEST = timedelta(days=7)
#: How long a session goes on.
SESSION = timedelta(hours=8)


class LinkGone(NotFoundError):
    """The link is unknown, was used or revoked, or has expired: it says the same of all."""

    code = "portal_link_not_found"


def create_portal_link(
    *,
    organization: Organization,
    customer: str,
    now: datetime,
    link_of: Callable[[str], str],
    lifetime: timedelta = MADE,
) -> tuple[PortalAccess, str]:
    """A link into the portal of the customer with the id `customer`, which is known this once."""
    if not timedelta(minutes=1) <= lifetime <= LONGEST:
        raise InvalidError("A portal link works for a minute to seven days", code="lifetime_invalid")
    token = new_secret()
    with transaction.atomic():
        made = PortalAccess.objects.create(
            organization=organization,
            customer=customer,
            created_by=acting(),
            sender=sender(),
            created_at=now,
            token_hash=hash_secret(token),
            expires_at=now + lifetime,
        )
        record_audit(
            organization_id=organization.pk,
            action="portal_link.create",
            target=customer,
            access=made.pk,
            expires_at=made.expires_at,
        )
    return made, link_of(token)


def open_portal(*, token: str, now: datetime) -> tuple[PortalAccess, str]:
    """Turn a link into a session: the access, and the session's secret. Raises `LinkGone`."""
    secret = new_secret()
    with transaction.atomic():
        found = (
            PortalAccess.objects.select_for_update(of=("self",))
            .select_related("organization")
            .filter(token_hash=hash_secret(token), used_at=None, revoked_at=None, expires_at__gt=now)
            .first()
        )
        if found is None or not _may_still_let_in(found, now):
            raise LinkGone("This link was used already, taken back, or has expired. Ask for a new one")
        found.used_at, found.session_expires_at = now, now + SESSION
        found.session_hash = hash_secret(secret)
        found.save(update_fields=["used_at", "session_expires_at", "session_hash"])
        record_audit(
            organization_id=found.organization_id,
            action="portal.sign_in",
            target=found.customer,
            actor=f"portal {found.customer}",
            access=found.pk,
        )
    return found, secret


def _may_still_let_in(access: PortalAccess, now: datetime) -> bool:
    """True while the link's maker, a member or a key, may still let customers in."""
    needs = Permission.LET_CUSTOMERS_IN
    return role_of_sender(access.organization_id, access.sender, needs=needs, now=now) is not None


def revoke_portal_access(*, organization_id: int, customer: str, now: datetime, access: str | None = None) -> int:
    """End one link or session of a customer, or all of them; how many were open."""
    rows = PortalAccess.objects.filter(organization_id=organization_id, customer=customer, revoked_at=None)
    if access is not None:
        rows = rows.filter(pk=access)
    with transaction.atomic():
        ended = rows.update(revoked_at=now)
        if ended:
            detail = {"access": access} if access else {}
            record_audit(organization_id=organization_id, action="portal_link.revoke", target=customer, **detail)
    return ended
