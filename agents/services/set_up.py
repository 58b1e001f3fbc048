from __future__ import annotations

from django.db import transaction

from accounts.facade import Organization, create_organization
from agents.domain.activity import NOT_DISCARDED, STANDARD_METERS
from metering.facade import create_meter, create_meter_version, current_versions


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


def update_standard_meters(*, organization: Organization) -> list[str]:
    """Give meters that still are as version 1 of the definitions had them a version of the present ones.

    Returns the keys of those that were changed; a meter that somebody changed is left alone.
    """
    newest = {one.meter.key: one for one in current_versions().filter(meter__organization=organization)}
    changed = []
    for standard in STANDARD_METERS:
        version, definition = newest.get(standard.key), standard.definition
        filters = [one for one in definition["filters"] if one != NOT_DISCARDED]
        if version is None or len(filters) == len(definition["filters"]):
            continue
        stored = version.definition
        first = {name: definition.get(name) for name in ("event_type", "aggregation", "value", "dimensions")}
        if {name: stored.get(name) for name in first} == first and stored.get("filters") == filters:
            create_meter_version(meter=version.meter, definition=definition)
            changed.append(standard.key)
    return changed
