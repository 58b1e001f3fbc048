"""Text in events made unreadable: in steps that can stop anywhere, with archives as they are."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from django.db import IntegrityError, connection, transaction

from billing.facade import get_customer
from kernel.period import Month
from metering.facade import advance_projections, detach_month
from metering.models import Redaction
from metering.services import redaction
from privacy.facade import anonymize_customer
from privacy.tasks import look
from tests.api import Api
from tests.privacy.dump import tables_with

pytestmark = pytest.mark.django_db(transaction=True)

MARKER = "zzqmarker"
SPAN = {"from": "2026-10-01T00:00:00Z", "to": "2026-11-01T00:00:00Z"}
NOW = datetime(2026, 11, 24, tzinfo=UTC)


def send(api: Api, number: int, **data: Any) -> None:
    events = [
        {"specversion": "1.0", "id": str(n), "source": "test", "type": "agent.turn", "subject": "acme",
         "time": f"2026-10-{n + 1:02d}T10:00:00Z", "data": {key: f"{value}{n % 2}" for key, value in data.items()}}
        for n in range(number)
    ]  # fmt: skip
    assert api.post("events", events).json()["accepted"] == number


def test_a_long_history_goes_on_from_where_it_stopped(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    api.customer("acme")
    send(api, 7, note=MARKER)
    monkeypatch.setattr(redaction, "_AT_ONCE", 2)
    monkeypatch.setattr("privacy.services.removing.AT_ONCE", 4)
    done = anonymize_customer(customer=get_customer(organization_id=api.organization.pk, customer="acme"), now=NOW)
    assert not done.is_complete
    assert len(tables_with(MARKER)["metering_usageevent"]) == 3  # two steps of two are done
    assert look() == 1
    assert tables_with(MARKER) == {}
    row = Redaction.objects.get()
    assert (row.events, bytes(row.salt), row.finished_at is None) == (7, b"", False)
    with connection.cursor() as cursor:
        cursor.execute("SELECT COUNT(DISTINCT data ->> 'note') FROM metering_usageevent")
        assert cursor.fetchone() == (2,)  # equal texts are equal still, over all steps
    assert look() == 0


def test_the_log_refuses_every_other_change(api: Api) -> None:
    send(api, 1, note="x")

    def change(what: str, is_redacting: str) -> None:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SELECT set_config('taximeter.redacting', %s, TRUE)", [is_redacting])
            cursor.execute(f"UPDATE metering_usageevent SET {what}")

    for what, is_redacting in (("subject = 'other'", "on"), ("event_id = 'x'", "on"), ("data = '{}'", "off")):
        with pytest.raises(IntegrityError):
            change(what, is_redacting)


def test_declared_fields_are_unreadable_in_archives_too_and_counts_stay(
    api: Api, settings: Any, tmp_path: Path
) -> None:
    settings.ARCHIVE_DIR = str(tmp_path / "archive")
    fields = [{"event_type": "*", "path": "data.who"}]
    assert api.patch("privacy_policy", {"personal_fields": fields}).status_code == 200
    api.customer("acme")
    api.meter("people", event_type="agent.turn", aggregation="unique_count", value="data.who",
              dimensions={"who": "data.who"})  # fmt: skip
    send(api, 5, who=MARKER)
    advance_projections()
    assert detach_month(month=Month(2026, 10), now=NOW) is not None

    def counted() -> list[str]:
        rows = api.get("meters/people/usage", **SPAN, customer="acme", group_by="who").json()["data"]
        return sorted(row["quantity"] for row in rows)

    assert counted() == ["1", "1"]
    assert json.dumps(api.get("events").json()).count(MARKER) == 5
    assert not any(MARKER.encode() in path.read_bytes() for path in (tmp_path / "archive").rglob("*.parquet"))
    done = anonymize_customer(customer=get_customer(organization_id=api.organization.pk, customer="acme"), now=NOW)
    assert any("archived" in place for place in done.beyond_reach)
    assert counted() == ["1", "1"]
    assert {event["data"]["who"] for event in api.get("events").json()["data"]} == {"[erased]"}
    assert api.get("events").json()["data"][0]["voided"] is False
