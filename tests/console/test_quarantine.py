"""The pages of what is kept and not counted, and of usage that no subscription charges."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import pytest

from kernel.clock import system_clock
from metering.facade import ingest, quarantined_events


def record(vendor: Any, *events: dict[str, Any]) -> None:
    base = {"specversion": "1.0", "source": "edge", "type": "agent.turn", "data": {}}
    ingest(
        organization_id=vendor.organization.pk,
        events=[base | event for event in events],
        received_at=system_clock(),
        sent_once=True,
    )


@pytest.mark.django_db
def test_events_in_quarantine_are_released_and_discarded_and_unassigned_usage_is_listed(
    vendor: Any, settings: Any
) -> None:
    settings.EVENT_LOOK_BACK_DAYS = 365
    shown = vendor.client.get("/events/quarantine").content.decode()
    assert "No event is in quarantine" in shown
    old = (system_clock() - timedelta(days=400)).isoformat()
    record(vendor, {"id": "old", "subject": "newcomer", "time": old}, {"id": "slash", "subject": "a/b"})
    shown = vendor.client.get("/events/quarantine").content.decode()
    assert "more than one year back" in shown
    assert "can never be a customer" in shown
    old_id, slash_id = quarantined_events(vendor.organization.pk).order_by("event_id").values_list("pk", flat=True)
    viewer = vendor.member("viewer")
    assert "Release event" not in viewer.get("/events/quarantine").content.decode()
    assert viewer.post(f"/events/quarantine/{old_id}/release").status_code == 403
    assert "newcomer" not in vendor.client.get("/events/unassigned").content.decode()

    vendor.client.post(f"/events/quarantine/{old_id}/release")
    refused = vendor.client.post(f"/events/quarantine/{slash_id}/release", {"customer": "a b"}, follow=True)
    assert "can never be a customer" in refused.content.decode()
    vendor.client.post(f"/events/quarantine/{slash_id}/discard")
    assert ">slash<" not in vendor.client.get("/events/quarantine?state=released").content.decode()
    assert ">slash<" in vendor.client.get("/events/quarantine?state=discarded").content.decode()
    states = quarantined_events(vendor.organization.pk).order_by("event_id").values_list("state", flat=True)
    assert list(states) == ["released", "discarded"]
    unassigned = re.sub(r"\s+", " ", vendor.client.get("/events/unassigned").content.decode())
    assert "newcomer" in unassigned
    assert "No customer has this key" in unassigned
    assert vendor.client.get("/events/unassigned?cursor=x").status_code == 422
    assert vendor.client.get("/events/quarantine?state=x").status_code == 422
