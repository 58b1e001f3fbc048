"""The standard meters, and how those of an older organization come to be the present ones."""

from __future__ import annotations

import pytest

from agents.domain.activity import NOT_DISCARDED, STANDARD_METERS
from agents.facade import set_up_organization
from agents.services.set_up import update_standard_meters
from metering.facade import create_meter_version, current_versions, get_meter_version

pytestmark = pytest.mark.django_db


def test_all_but_the_cost_leave_out_what_was_discarded():
    without = [meter.key for meter in STANDARD_METERS if NOT_DISCARDED not in meter.definition["filters"]]
    assert without == ["cost"]


def test_meters_of_the_first_definitions_are_updated_and_changed_ones_left_alone():
    organization = set_up_organization(name="Vendor")
    assert update_standard_meters(organization=organization) == []
    for meter in STANDARD_METERS:
        filters = [one for one in meter.definition["filters"] if one != NOT_DISCARDED]
        version = get_meter_version(organization_id=organization.pk, meter=meter.key)
        create_meter_version(meter=version.meter, definition={**meter.definition, "filters": filters})
    own = get_meter_version(organization_id=organization.pk, meter="turns")
    create_meter_version(meter=own.meter, definition={"event_type": "agent.turn", "aggregation": "count"})
    updated = update_standard_meters(organization=organization)
    assert updated == [meter.key for meter in STANDARD_METERS if meter.key not in {"cost", "turns"}]
    definitions = {one.meter.key: one.definition for one in current_versions().filter(meter__organization=organization)}
    for meter in STANDARD_METERS:
        if meter.key in updated:
            assert NOT_DISCARDED in definitions[meter.key]["filters"]
    assert update_standard_meters(organization=organization) == []
