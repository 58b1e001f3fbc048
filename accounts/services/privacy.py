"""What accounts keeps of a customer: links into the portal, its API keys and the keys that its values are encrypted by;
and how long an organization keeps what."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from django.db import connection, transaction

from accounts.contracts import Person
from accounts.models import ApiKey, KeyPurpose, PortalAccess, PrivacyPolicy
from accounts.services.audit import record_audit, record_change
from accounts.services.sealing import destroy_keys
from kernel.errors import InvalidError

MOST_YEARS = 30


class PrivacyPolicyInvalid(InvalidError):
    code = "privacy_policy_invalid"


def privacy_policy_of(organization_id: int) -> PrivacyPolicy:
    """The organization's choices; the defaults (not stored) where it has made none."""
    found = PrivacyPolicy.objects.filter(organization_id=organization_id).first()
    return found or PrivacyPolicy(organization_id=organization_id)


def change_privacy_policy(
    *,
    organization_id: int,
    retention_years: int | None = None,
    personal_fields: Sequence[Mapping[str, str]] | None = None,
) -> PrivacyPolicy:
    """Set how many years (0 to 30) documents of erased customers are kept, or which fields of events are personal.

    The caller has checked `personal_fields`. Events that came before stay as they are.
    """
    if retention_years is not None and not 0 <= retention_years <= MOST_YEARS:
        raise PrivacyPolicyInvalid(f"Documents are kept for 0 to {MOST_YEARS} years", code="retention_invalid")
    with transaction.atomic():
        policy, _ = PrivacyPolicy.objects.select_for_update().get_or_create(organization_id=organization_id)
        before = _written(policy)
        if retention_years is not None:
            policy.retention_years = retention_years
        if personal_fields is not None:
            policy.personal_fields = [dict(one) for one in personal_fields]
        policy.save()
        record_change(
            organization_id=organization_id,
            action="privacy_policy.change",
            target="privacy_policy",
            before=before,
            after=_written(policy),
        )
    return policy


def _written(policy: PrivacyPolicy) -> dict[str, Any]:
    return {"retention_years": policy.retention_years, "personal_fields": policy.personal_fields}


def end_access(person: Person, *, now: datetime, revokes_keys: bool) -> dict[str, int]:
    """Delete the customer's links into the portal with their sessions; take the names off its API keys, and revoke
    them where `revokes_keys` says so."""
    keys = ApiKey.objects.filter(organization_id=person.organization_id, customer__in=person.subjects)
    if revokes_keys:
        for key in keys.filter(revoked_at=None):
            record_audit(organization_id=person.organization_id, action="api_key.revoke", target=key.pk)
        keys.filter(revoked_at=None).update(revoked_at=now)
    links, _ = PortalAccess.objects.filter(
        organization_id=person.organization_id, customer__in=person.customers
    ).delete()
    return {"portal_links": links, "api_keys": keys.exclude(name="").update(name="")}


def destroy_personal_keys(person: Person, *, now: datetime) -> int:
    """Make the customer's values in the audit trail and in events unreadable."""
    return destroy_keys(
        organization_id=person.organization_id,
        holders=[*person.customers, *person.subjects],
        purposes=(KeyPurpose.PERSONAL, KeyPurpose.EVENTS),
        at=now,
    )


_ANSWERS = """
UPDATE rest_idempotencyrecord SET body = convert_to('{"code": "erased"}', 'UTF8')
WHERE organization_id = %s AND body IS NOT NULL
  AND EXISTS (SELECT FROM unnest(%s::text[]) AS name WHERE position(convert_to(name, 'UTF8') IN body) > 0)
"""
_ADMIN_LOG = "UPDATE django_admin_log SET object_repr = '[erased]', change_message = '' WHERE object_id = ANY (%s)"


def blank_answers(person: Person) -> int:
    """Take the customer out of the answers kept for repeated requests, and of the administration's log.

    The records stay: a request sent again is still not done twice, and its answer says that it was erased.
    """
    # As JSON writes them, so that a name is not found as a part of another word.
    names = [json.dumps(name, ensure_ascii=False) for name in person.names if name]
    with connection.cursor() as cursor:
        cursor.execute(_ANSWERS, [person.organization_id, names])
        blanked = cursor.rowcount
        cursor.execute(_ADMIN_LOG, [[*person.customers, *person.things]])
    return int(blanked)
