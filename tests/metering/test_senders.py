"""The sender of each event: kept beside it, through every way in, and through archives."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from accounts.facade import act_as, create_api_key, sender
from accounts.services.audit import begin_acting
from inference.services.calls import record_calls
from kernel.period import Month
from metering.facade import attach_month, detach_month, ingest
from metering.models import UsageEvent
from tests.api import Api

pytestmark = pytest.mark.django_db

SPAN = {
    "resourceSpans": [{"scopeSpans": [{"spans": [{
        "traceId": "5b8efff798038103d269b633813fc60c", "spanId": "eee19b7ec3c1b174", "name": "chat m",
        "startTimeUnixNano": "1790000000000000000", "endTimeUnixNano": "1790000001000000000",
        "attributes": [
            {"key": "gen_ai.operation.name", "value": {"stringValue": "chat"}},
            {"key": "gen_ai.request.model", "value": {"stringValue": "m"}},
            {"key": "gen_ai.usage.input_tokens", "value": {"intValue": "5"}},
            {"key": "gen_ai.usage.output_tokens", "value": {"intValue": "7"}},
            {"key": "customer.id", "value": {"stringValue": "acme"}},
        ],
    }]}]}],
}  # fmt: skip


def event(name: str, **changes: Any) -> dict[str, Any]:
    return {
        "specversion": "1.0",
        "id": name,
        "source": "edge/1",
        "type": "t",
        "subject": "acme",
        "data": {"n": 1},
    } | changes


def key_of(api: Api) -> str:
    return str(api.get("api_keys").json()["data"][0]["id"])


def senders(api: Api, **asked: str) -> dict[str, str | None]:
    return {one["id"]: one["sent_by"] for one in api.get("events", **asked).json()["data"]}


def test_every_door_keeps_the_key_and_a_list_finds_it(api: Api) -> None:
    mine = key_of(api)
    assert api.post("events", event("one")).status_code == 200
    assert api.post("events", [event("two"), event("three")]).status_code == 200
    spans = api.client.post("/v1/traces", json.dumps(SPAN), content_type="application/json")
    assert spans.status_code == 200
    found = senders(api)
    assert len(found) == 4
    assert set(found.values()) == {mine}
    assert len(senders(api, sent_by=mine)) == 4
    assert senders(api, sent_by="key_of_somebody_else") == {}


def test_an_amendment_is_sent_by_the_key_that_makes_it(api: Api) -> None:
    assert api.post("events", event("one")).status_code == 200
    organization = UsageEvent.objects.get().organization
    key, secret = create_api_key(organization=organization, scopes=["admin"])
    body = {"source": "edge/1", "id": "one", "reason": "wrong", "event": event("two")}
    answer = api.client.post(
        "/api/v1/events/amend", json.dumps(body), content_type="application/json", HTTP_AUTHORIZATION=f"Bearer {secret}"
    )
    assert answer.status_code == 200
    assert senders(api) == {"one": key_of(api), "two": key.pk}


def test_the_sender_is_no_part_of_the_content(api: Api) -> None:
    assert api.post("events", event("one", time="2026-10-01T00:00:00Z")).json()["accepted"] == 1
    organization_id = UsageEvent.objects.get().organization_id
    body = [event("one", time="2026-10-01T00:00:00Z"), event("two", time="2026-10-01T00:00:00Z")]
    again = ingest(organization_id=organization_id, events=body, received_at=datetime.now(UTC), sent_by="key_other")
    assert (again.accepted, again.duplicates) == (1, 1)
    assert senders(api) == {"one": key_of(api), "two": "key_other"}


def test_what_a_thread_does_after_a_request_is_the_system_s(api: Api) -> None:
    assert api.post("events", event("one", time="2026-10-01T00:00:00Z")).status_code == 200
    assert sender() == "system"


def test_without_a_key_it_is_the_member_or_the_system() -> None:
    begin_acting(address=None)
    assert sender() == "system"
    act_as("ann@example.com", user_id=12)
    assert sender() == "user:12"
    act_as("tx_abc…", api_key="key_1")
    assert sender() == "key_1"
    begin_acting(address=None)


def test_calls_that_the_engine_kept_have_the_key_that_made_them(api: Api) -> None:
    assert api.post("events", event("one")).status_code == 200
    account = {
        "model": "m", "input_tokens": 3, "output_tokens": 2, "compute_seconds": "0.1", "finish_reason": "stop",
        "finished_at": "2026-10-01T00:00:01Z"
    }  # fmt: skip
    call = {
        "organization_id": UsageEvent.objects.get().organization_id, "customer": "acme", "agent": None,
        "task_id": None, "turn_id": None, "started_at": "2026-10-01T00:00:00Z",
    }  # fmt: skip
    now = datetime(2026, 10, 1, 0, 1, tzinfo=UTC)
    kept = [
        {"id": "call_1", "call": call | {"sent_by": "key_1", "subscription": "eu"}, "account": account},
        {"id": "call_2", "call": call, "account": account},  # kept by a server before senders were
    ]
    assert sorted(record_calls(calls=kept, now=now)) == ["call_1", "call_2"]
    found = UsageEvent.objects.filter(type="inference.call").values_list("event_id", "sent_by", "subscription")
    assert sorted(found) == [("call/call_1", "key_1", "eu"), ("call/call_2", "system", None)]


@pytest.mark.django_db(transaction=True)
def test_senders_go_to_an_archive_and_come_back(api: Api, settings: Any, tmp_path: Path) -> None:
    settings.ARCHIVE_DIR = str(tmp_path)
    mine = key_of(api)
    assert api.post("events", [event(f"a{n}", time="2026-10-05T00:00:00Z") for n in range(3)]).status_code == 200
    organization_id = UsageEvent.objects.first().organization_id
    others = [event(f"b{n}", time="2026-10-06T00:00:00Z") for n in range(2)]
    ingest(organization_id=organization_id, events=others, received_at=datetime.now(UTC), sent_by="key_other")
    before = senders(api)
    assert set(before.values()) == {mine, "key_other"}
    assert detach_month(month=Month(2026, 10), now=datetime(2026, 11, 3, tzinfo=UTC)) is not None
    assert not UsageEvent.objects.exists()
    assert senders(api) == before
    assert sorted(senders(api, sent_by="key_other")) == ["b0", "b1"]
    assert attach_month(month=Month(2026, 10)) == 5
    assert senders(api) == before
    assert sorted(senders(api, sent_by="key_other")) == ["b0", "b1"]


@pytest.mark.django_db(transaction=True)
def test_an_archive_from_before_senders_reads_as_it_did(api: Api, settings: Any, tmp_path: Path) -> None:
    from metering.archive import files
    from metering.models import LogArchive

    settings.ARCHIVE_DIR = str(tmp_path)
    assert api.post("events", [event(f"a{n}", time="2026-10-05T00:00:00Z") for n in range(3)]).status_code == 200
    archive = detach_month(month=Month(2026, 10), now=datetime(2026, 11, 3, tzinfo=UTC))
    assert archive is not None
    path = tmp_path / archive.file
    table = files.pq.read_table(path).drop_columns(["sent_by"])
    files.pq.write_table(table, path, write_page_checksum=True)
    LogArchive.objects.update(sha256=files.file_digest(path))
    assert senders(api) == {"a0": None, "a1": None, "a2": None}
    assert senders(api, sent_by="key_1") == {}
    assert attach_month(month=Month(2026, 10)) == 3
    assert senders(api) == {"a0": None, "a1": None, "a2": None}
