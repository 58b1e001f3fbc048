from __future__ import annotations

from django.db import transaction

from accounts.facade import Organization, create_organization
from agents.domain.activity import STANDARD_METERS
from metering.facade import create_meter


def set_up_organization(*, name: str, key: str | None = None) -> Organization:
    """A new organization with the standard meters of agent activity. Raises as `create_organization` does."""
    with transaction.atomic():
        organization = create_organization(name=name, key=key)
        for meter in STANDARD_METERS:
            create_meter(
                organization_id=organization.pk,
                key=meter.key,
                name=meter.name,
                unit=meter.unit,
                definition=meter.definition,
            )
    return organization
