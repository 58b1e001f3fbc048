from __future__ import annotations

from typing import Any

from billing.models import BillingPolicy


def change_policy(*, organization_id: int, **fields: Any) -> BillingPolicy:
    """Change some of an organization's choices (the model's fields). They count for invoices made from now on."""
    policy, _ = BillingPolicy.objects.update_or_create(organization_id=organization_id, defaults=fields)
    return policy
