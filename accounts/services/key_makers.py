"""The members who answer for API keys: keys end with them, are handed over to others, and are reviewed."""

from __future__ import annotations

from django.db import transaction
from django.db.models import F, Func, Value

from accounts.models import ApiKey, Membership
from accounts.queries import api_keys_of, role_in
from accounts.services.audit import record_audit
from accounts.services.key_authority import Actor, require_may_manage
from kernel.errors import ConflictError, InvalidError
from rest.access import ADMINISTRATOR, scopes_of_role


def hand_over_api_key(*, key: ApiKey, member: Membership, by: Actor) -> ApiKey:
    """Make `member` answer for a key, and for the keys that it made; returns it as it is then.

    It goes on, bounded by their role and still by those of everyone who answered for it, so that it never does more
    than before. Raises `KeyAboveOwn`, `InvalidError` (code `member_without_scope`) where the member may not have all
    its scopes, and `ConflictError` for a revoked key or a member without access.
    """
    with transaction.atomic():
        found = _locked(key)
        require_may_manage(by, found)
        role = role_in(found.organization_id, member.user_id)
        if member.organization_id != found.organization_id or role is None:
            raise ConflictError(f"{member.user.email} has no access to this organization", code="member_gone")
        if missing := [scope for scope in found.scopes if scope not in scopes_of_role(role)]:
            raise InvalidError(
                f"{member.user.email} is {role} and may not have a key with the scope {', '.join(missing)}",
                code="member_without_scope",
            )
        before = found.maker.email if found.maker else None
        bounds = [*found.bounds, *_former_role(found)]
        for one in _with_descendants(found):
            one.has_maker, one.maker, one.needs_review = True, member.user, False
            one.bounds = list(dict.fromkeys([*one.bounds, *bounds]))
            one.parent = None if one == found else one.parent
            one.save(update_fields=["has_maker", "maker", "bounds", "needs_review", "parent"])
            record_audit(
                organization_id=one.organization_id,
                action="api_key.hand_over",
                target=one.pk,
                name=one.name,
                hint=one.hint,
                before={"maker": before},
                after={"maker": member.user.email},
            )
    return api_keys_of(key.organization_id).get(pk=key.pk)


def review_api_key(*, key: ApiKey, by: Actor) -> ApiKey:
    """Note that a member has looked at a key and keeps it. Raises `KeyAboveOwn`, `ConflictError` for a revoked one.

    A key that has ended stays so, and on the list, until it is handed over or revoked.
    """
    with transaction.atomic():
        found = _locked(key)
        require_may_manage(by, found)
        if found.has_ended:
            raise ConflictError(
                "The member who answers for this key has left. Hand it over to another member, or revoke it",
                code="api_key_ended",
            )
        if found.needs_review:
            ApiKey.objects.filter(pk=found.pk).update(needs_review=False)
            record_audit(
                organization_id=found.organization_id,
                action="api_key.review",
                target=found.pk,
                name=found.name,
                hint=found.hint,
                scopes=found.scopes,
            )
    return api_keys_of(key.organization_id).get(pk=key.pk)


def end_keys_of(*, organization_id: int, user_id: int, role: str | None) -> None:
    """End the keys of a member who leaves, or who left without a word and is back: they work again only when they
    are handed over, and then never do more than `role`, the member's last one (None: unknown).
    """
    keys = ApiKey.objects.filter(organization_id=organization_id, maker_id=user_id)
    last = Value(role or ADMINISTRATOR)
    keys.update(maker=None, bounds=Func(F("bounds"), last, function="array_append"))


def list_keys_for_review(*, member: Membership) -> None:
    """List the keys of a member whose role changes, as they may do something else from now on."""
    keys = ApiKey.objects.filter(organization_id=member.organization_id, maker_id=member.user_id, revoked_at=None)
    keys.update(needs_review=True)


def _locked(key: ApiKey) -> ApiKey:
    found = api_keys_of(key.organization_id).select_for_update(of=("self",)).get(pk=key.pk)
    if found.revoked_at is not None:
        raise ConflictError("This key is revoked", code="api_key_revoked")
    return found


def _former_role(key: ApiKey) -> list[str]:
    """The role up to which the key could act by its present maker, to bound it by from now on."""
    if not key.has_maker:
        return []
    if (role := key.maker_role or key.membership_role) is not None:
        return [role]
    return [] if key.bounds else [ADMINISTRATOR]


def _with_descendants(key: ApiKey) -> list[ApiKey]:
    found, later = [key], [key]
    while later:
        later = list(ApiKey.objects.select_for_update().filter(parent__in=later, revoked_at=None).order_by("id"))
        found += later
    return found
