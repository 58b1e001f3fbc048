from __future__ import annotations

from billing.models import BillingPolicy


def policy_of(organization_id: int) -> BillingPolicy:
    """The organization's choices, or the defaults."""
    found = BillingPolicy.objects.filter(organization_id=organization_id).first()
    return found or BillingPolicy(organization_id=organization_id)
