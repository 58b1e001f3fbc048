"""An organization's choices about privacy, with the checks that need its meters."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from django.db import transaction

from accounts.facade import PrivacyPolicy, change_privacy_policy
from billing.facade import count_retention_again
from kernel.errors import FieldError, InvalidError
from metering.facade import forget_protection, numeric_or_filtered_paths

MOST_FIELDS = 50
_PATH = re.compile(r"data(\.[A-Za-z_][A-Za-z0-9_-]{0,62}){1,6}")
_ANY = "*"


class PersonalFieldsInvalid(InvalidError):
    code = "personal_fields_invalid"


def set_privacy_policy(
    *,
    organization_id: int,
    now: datetime,
    retention_years: int | None = None,
    personal_fields: Sequence[Mapping[str, Any]] | None = None,
) -> PrivacyPolicy:
    """Change how long documents of erased customers are kept, for those already erased too, or which fields of events
    are personal from now on. Raises `PersonalFieldsInvalid` with a pointer to each field that cannot be."""
    fields = None if personal_fields is None else _checked(organization_id, personal_fields)
    with transaction.atomic():
        policy = change_privacy_policy(
            organization_id=organization_id, retention_years=retention_years, personal_fields=fields
        )
        if retention_years is not None:
            count_retention_again(organization_id=organization_id, now=now)
    forget_protection(organization_id)
    return policy


def _checked(organization_id: int, fields: Sequence[Mapping[str, Any]]) -> list[dict[str, str]]:
    if len(fields) > MOST_FIELDS:
        raise PersonalFieldsInvalid(f"There can be at most {MOST_FIELDS} personal fields")
    taken = numeric_or_filtered_paths(organization_id)
    errors, checked = [], []
    for number, field in enumerate(fields):
        event_type, path = str(field.get("event_type") or _ANY), str(field.get("path") or "")
        if not _PATH.fullmatch(path):
            errors.append(FieldError(f"/personal_fields/{number}/path", "invalid", "A path looks like data.user_email"))
        elif meter := next((key for key, one, at in taken if at == path and event_type in (_ANY, one)), None):
            detail = f"The meter {meter!r} sums or filters by {path}, which it cannot do once it is encrypted"
            errors.append(FieldError(f"/personal_fields/{number}/path", "field_is_metered", detail))
        checked.append({"event_type": event_type, "path": path})
    if errors:
        raise PersonalFieldsInvalid("; ".join(error.detail for error in errors[:3]), errors=errors)
    return [dict(one) for one in {tuple(sorted(one.items())): one for one in checked}.values()]
