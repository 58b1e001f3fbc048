from __future__ import annotations

from typing import Any

from django.db import transaction

from accounts.facade import record_change
from billing.models import BillingPolicy


def change_policy(*, organization_id: int, **fields: Any) -> BillingPolicy:
    """Change some of an organization's choices (the model's fields). They count for invoices made from now on."""
    with transaction.atomic():
        policy, _ = BillingPolicy.objects.select_for_update().get_or_create(organization_id=organization_id)
        before = {name: getattr(policy, name) for name in fields}
        for name, value in fields.items():
            setattr(policy, name, value)
        policy.save(update_fields=list(fields))
        record_change(
            organization_id=organization_id,
            action="billing_policy.update",
            target="billing_policy",
            before=before,
            after=fields,
        )
    return policy
