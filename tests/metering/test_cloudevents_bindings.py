"""Events as the published CloudEvents SDK sends them over HTTP: in binary mode, structured, and in a batch."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from cloudevents.core.bindings.http import to_binary_event, to_structured_event
from cloudevents.core.v1.event import CloudEvent

from metering.models import UsageEvent
from tests.api import Api

DATA = {"agent": "support", "task_id": "t-1", "turn_id": "t-1/1", "input_tokens": 12}


def event(**changes: Any) -> CloudEvent:
    attributes = {
        "id": "e 1",
        "source": "/desk/münchen",
        "type": "agent.turn",
        "subject": "acme",
        "time": datetime(2026, 10, 5, 9, 30, tzinfo=UTC),
        "datacontenttype": "application/json",
        "subscription": "eu",
    }
    return CloudEvent(attributes=attributes | changes, data=DATA)


def send(api: Api, message: Any) -> Any:
    headers = {name.lower(): value for name, value in message.headers.items()}
    content_type = headers.pop("content-type", "application/json")
    return api.client.post("/api/v1/events", message.body, content_type=content_type, headers=headers)


@pytest.mark.parametrize("mode", [to_binary_event, to_structured_event])
def test_an_event_of_the_published_sdk_is_taken_in_either_mode(api: Api, mode: Any) -> None:
    answer = send(api, mode(event()))
    assert (answer.status_code, answer.json()["accepted"]) == (200, 1), answer.content
    stored = UsageEvent.objects.get()
    assert (stored.source, stored.event_id, stored.type, stored.subject) == (
        "/desk/münchen",
        "e 1",
        "agent.turn",
        "acme",
    )
    assert (stored.subscription, stored.time) == ("eu", datetime(2026, 10, 5, 9, 30, tzinfo=UTC))
    assert stored.data == DATA


def test_both_modes_are_one_event(api: Api) -> None:
    assert send(api, to_binary_event(event())).json()["accepted"] == 1
    assert send(api, to_structured_event(event())).json()["duplicates"] == 1


@pytest.mark.parametrize("mode", [to_binary_event, to_structured_event])
def test_a_refused_event_is_no_success_to_a_sender_that_looks_at_the_status(api: Api, mode: Any) -> None:
    assert send(api, mode(event())).status_code == 200
    answer = send(api, mode(event(type="agent.task")))
    assert (answer.status_code, answer["Content-Type"]) == (422, "application/problem+json")
    assert [one["code"] for one in answer.json()["rejected"]] == ["id_conflict"]
    assert UsageEvent.objects.get().type == "agent.turn"


HEADERS = {"ce-specversion": "1.0", "ce-id": "e1", "ce-source": "desk", "ce-type": "agent.turn", "ce-subject": "acme"}


@pytest.mark.parametrize(
    ("body", "content_type", "more", "status", "code"),
    [
        (b"{", "application/json", {}, 400, "malformed_json"),
        (b'{}, "subject": "globex"', "application/json", {}, 400, "malformed_json"),
        (b"[" * 100_000, "application/json", {}, 400, "malformed_json"),
        (b"<data/>", "application/xml", {}, 415, "unsupported_media_type"),
        (b"{}", "application/json", {"ce-subject": "%ff"}, 400, "attribute_invalid"),
        (b"{}", "application/json", {"ce-a-b": "x"}, 400, "attribute_invalid"),
        (b"{}", "application/json", {"ce-data": "x"}, 400, "attribute_invalid"),
        (b"{}", "application/json", {"ce-specversion": "0.3"}, 422, "batch_rejected"),
        (b"[1]", "application/json", {}, 422, "batch_rejected"),
    ],
)
def test_what_cannot_be_read_is_refused_with_its_code(
    api: Api, body: bytes, content_type: str, more: dict[str, str], status: int, code: str
) -> None:
    answer = api.client.post("/api/v1/events", body, content_type=content_type, headers=HEADERS | more)
    assert (answer.status_code, answer.json()["code"]) == (status, code), answer.content
    assert not UsageEvent.objects.exists()


def test_numbers_of_binary_data_stay_as_they_were_written(api: Api) -> None:
    body = b'{"compute_seconds": 0.1000000000000000055511151231257827}'
    in_october = HEADERS | {"ce-time": "2026-10-05T09:30:00Z"}
    answer = api.client.post("/api/v1/events", body, content_type="application/json", headers=in_october)
    assert answer.json()["accepted"] == 1
    api.meter("seconds", event_type="agent.turn", aggregation="sum", value="data.compute_seconds")
    assert api.quantity("seconds") == "0.1000000000000000055511151231257827"


def test_data_may_be_missing_and_of_another_type_of_json(api: Api) -> None:
    assert api.client.post("/api/v1/events", b"", content_type="", headers=HEADERS).json()["accepted"] == 1
    other = HEADERS | {"ce-id": "e2"}
    answer = api.client.post("/api/v1/events", b"{}", content_type="application/vnd.desk+json", headers=other)
    assert answer.json()["accepted"] == 1


def test_a_batch_names_what_it_refuses_and_is_a_success(api: Api) -> None:
    batch = [{"specversion": "1.0", "id": "e1", "source": "desk", "type": "t", "subject": "acme"}, {"id": "e2"}]
    answer = api.post("events", batch, content_type="application/cloudevents-batch+json")
    assert (answer.status_code, answer.json()["accepted"], len(answer.json()["rejected"])) == (200, 1, 1)
