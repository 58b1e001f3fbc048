from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from typing import Any

import pytest

from metering.models import UsageEvent
from tests.api import Api, make_api

Build = Callable[..., dict[str, Any]]


def test_a_single_event_is_accepted_and_counts_at_once(api: Api, event: Build) -> None:
    api.meter("turns", event_type="agent.turn", aggregation="count")
    answer = api.post("events", event(), content_type="application/cloudevents+json")
    assert (answer.status_code, answer.json()["accepted"], answer.json()["rejected"]) == (200, 1, [])
    assert api.quantity("turns") == "1"


def test_a_batch_is_taken_plain_and_gzipped(api: Api, event: Build) -> None:
    batch = [event(f"e{i}") for i in range(3)]
    assert api.post("events", batch, content_type="application/cloudevents-batch+json").json()["accepted"] == 3
    told = api.post_gzip("events", json.dumps([*batch, event("e9")]).encode()).json()
    assert (told["accepted"], told["duplicates"], told["rejected"]) == (1, 3, [])


def test_the_same_event_again_is_a_duplicate_however_its_json_is_written(api: Api, event: Build) -> None:
    api.post("events", event(data={"a": 1, "b": [1, 2]}))
    body = json.dumps(event(data={"b": [1, 2], "a": 1}), indent=3).encode()
    assert api.post("events", body).json()["duplicates"] == 1


def test_an_event_twice_in_one_request_counts_once(api: Api, event: Build) -> None:
    told = api.post("events", [event(), event()]).json()
    assert (told["accepted"], told["duplicates"], told["rejected"]) == (1, 1, [])


@pytest.mark.parametrize(
    "change",
    [{"data": {"agent": "sales"}}, {"time": "2026-10-03T09:12:45Z"}, {"subject": "globex"}, {"type": "agent.task"}],
)
def test_a_reused_id_with_other_content_is_a_conflict_and_the_first_stays(
    api: Api, event: Build, change: dict[str, Any]
) -> None:
    api.post("events", event())
    [rejection] = api.post("events", event(**change)).json()["rejected"]
    assert (rejection["index"], rejection["id"], rejection["code"]) == (0, "e1", "id_conflict")
    assert UsageEvent.objects.get().data == {"agent": "support", "turn_id": "e1"}


def test_two_organizations_and_two_sources_may_use_the_same_id(api: Api, another_api: Api, event: Build) -> None:
    assert api.post("events", event()).json()["accepted"] == 1
    assert api.post("events", event(source="edge/paris-1")).json()["accepted"] == 1
    assert another_api.post("events", event()).json()["accepted"] == 1


def test_what_cannot_be_taken_is_named_and_its_neighbours_go_in(api: Api, event: Build) -> None:
    batch = [
        event("good-1"),
        {"id": "no-fields"},
        "text",
        event("wrong-version", specversion="0.3"),
        event("wrong-time", time="yesterday"),
        event("no-zone", time="2026-10-03T09:12:44"),
        event("no-object", data=[1]),
        event("nul", data={"text": "a\x00b"}),
        event("deep", data={"a": json.loads("[" * 40 + "]" * 40)}),
        event("big", data={"a": "x" * 70_000}),
        event("", data={}),
        event("good-2"),
    ]
    answer = api.post("events", batch).json()
    assert (answer["accepted"], answer["duplicates"]) == (2, 0)
    assert [(r["index"], r["code"]) for r in answer["rejected"]] == [
        (1, "field_missing"),
        (2, "event_invalid"),
        (3, "specversion_unsupported"),
        (4, "time_invalid"),
        (5, "time_invalid"),
        (6, "data_invalid"),
        (7, "data_invalid"),
        (8, "data_invalid"),
        (9, "event_too_large"),
        (10, "field_invalid"),
    ]


@pytest.mark.parametrize("number", ["1e99999", "1e-99999", "0." + "1" * 400, "-1E+400"])
def test_a_number_that_no_database_keeps_is_refused_at_the_door(api: Api, number: str) -> None:
    body = f'{{"specversion":"1.0","id":"n","source":"s","type":"t","data":{{"x":{number}}}}}'.encode()
    [rejection] = api.post("events", body).json()["rejected"]
    assert rejection["code"] in {"number_out_of_range", "data_invalid"}


def test_text_that_looks_like_a_large_exponent_is_only_text(api: Api, event: Build) -> None:
    assert api.post("events", event(data={"task_id": "task-e12345", "hash": "9" * 400})).json()["accepted"] == 1


def test_strict_handling_takes_all_or_nothing(api: Api, event: Build) -> None:
    answer = api.post("events", [event("a"), {"id": "b"}], prefer="handling=strict")
    assert answer.status_code == 422
    assert answer["content-type"] == "application/problem+json"
    assert (answer.json()["code"], answer.json()["rejected"][0]["index"]) == ("batch_rejected", 1)
    assert not UsageEvent.objects.exists()
    assert api.post("events", [event("a")], prefer="handling=strict").json()["accepted"] == 1
    conflict = api.post("events", [event("c"), event("a", data={})], prefer="handling=strict")
    assert conflict.json()["rejected"][0]["code"] == "id_conflict"
    assert UsageEvent.objects.count() == 1


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        (b"{not json", 400, "malformed_json"),
        (b"\xff\xfe", 400, "malformed_json"),
        (b"", 400, "malformed_json"),
        (b'"text"', 422, "body_invalid"),
        (b"[" * 100_000, 400, "malformed_json"),
    ],
)
def test_a_body_that_is_no_event_is_refused(api: Api, body: bytes, status: int, code: str) -> None:
    answer = api.post("events", body)
    assert (answer.status_code, answer.json()["code"]) == (status, code)


def test_too_many_events_and_too_many_bytes_are_refused_whole(api: Api, event: Build) -> None:
    many = api.post("events", [event(f"e{i}") for i in range(10_001)])
    assert (many.status_code, many.json()["code"]) == (413, "too_many_events")
    bomb = api.post_gzip("events", b" " * (17 * 1024 * 1024))
    assert (bomb.status_code, bomb.json()["code"]) == (413, "too_large")
    assert not UsageEvent.objects.exists()


def test_broken_or_unknown_compression_is_refused(api: Api) -> None:
    cut = gzip.compress(b"[]" * 1000)[:-20]
    answers = [api.post("events", body, **{"content-encoding": "gzip"}) for body in (b"nonsense", cut)]
    assert [(a.status_code, a.json()["code"]) for a in answers] == [(400, "malformed_gzip")] * 2
    assert api.post("events", b"[]", **{"content-encoding": "br"}).status_code == 415
    assert api.post("events", b"a=b", content_type="application/x-www-form-urlencoded").status_code == 415


@pytest.mark.parametrize(
    "value",
    ["abc", "NaN", "Infinity", "", True, [1], {"a": 1}, "1e999", "\N{ARABIC-INDIC DIGIT ONE}", "1" * 19, 10**18, 1e-31],
)
def test_a_value_that_a_meter_needs_as_a_number_must_be_one(api: Api, event: Build, value: Any) -> None:
    api.meter("cpu", event_type="inference.call", aggregation="sum", value="data.compute_seconds")
    [rejection] = api.post("events", event(type="inference.call", data={"compute_seconds": value})).json()["rejected"]
    assert rejection["code"] == "value_not_a_number"


@pytest.mark.parametrize("value", ["0.74", 0.74, 1, "-3", "1e-7", 999999999999999999])
def test_numbers_may_be_json_numbers_or_text(api: Api, event: Build, value: Any) -> None:
    api.meter("cpu", event_type="inference.call", aggregation="sum", value="data.compute_seconds")
    assert api.post("events", event(type="inference.call", data={"compute_seconds": value})).json()["accepted"] == 1


def test_decimals_add_up_exactly(api: Api, event: Build) -> None:
    api.meter("cpu", event_type="inference.call", aggregation="sum", value="data.s")
    api.post("events", [event(f"e{i}", type="inference.call", data={"s": 0.1}) for i in range(3)])
    assert api.quantity("cpu") == "0.3"


def test_an_event_for_an_unknown_customer_is_kept_and_counts_once_it_exists(api: Api, event: Build) -> None:
    api.meter("turns", event_type="agent.turn", aggregation="count")
    assert api.post("events", event()).json()["accepted"] == 1
    span = {"from": "2026-10-01T00:00:00Z", "to": "2026-11-01T00:00:00Z", "customer": "acme"}
    unknown = api.get("meters/turns/usage", **span)
    assert (unknown.status_code, unknown.json()["code"]) == (404, "customer_not_found")
    api.customer("acme")
    assert api.quantity("turns", customer="acme") == "1"


def test_a_key_without_the_scope_is_refused(db: None, event: Build) -> None:
    reader = make_api("Reading vendor", "read")
    answer = reader.post("events", event())
    assert (answer.status_code, answer.json()["code"]) == (403, "scope_missing")
    sender = make_api("Sending vendor", "ingest")
    assert sender.post("events", event()).status_code == 200
    assert sender.get("events").status_code == 403


def test_without_a_key_nothing_opens(api: Api, event: Build) -> None:
    api.client.defaults.pop("HTTP_AUTHORIZATION", None)
    for headers in ({"authorization": ""}, {"authorization": "Bearer tx_wrong"}, {"authorization": "Basic x"}):
        answer = api.post("events", event(), **headers)
        assert answer.status_code == 401
        assert answer["content-type"] == "application/problem+json"
        assert answer["www-authenticate"].startswith("Bearer")


def test_the_log_is_listed_newest_first_with_filters_and_a_cursor(api: Api, event: Build) -> None:
    api.post(
        "events", [event(f"e{i}", time=f"2026-10-0{i}T00:00:00Z", data={"agent": f"a{i % 2}"}) for i in range(1, 8)]
    )
    first = api.get("events", limit="3").json()
    second = api.get("events", limit="3", cursor=first["next_cursor"]).json()
    third = api.get("events", limit="3", cursor=second["next_cursor"]).json()
    ids = [e["id"] for answer in (first, second, third) for e in answer["data"]]
    assert ids == ["e7", "e6", "e5", "e4", "e3", "e2", "e1"]
    assert third["next_cursor"] is None
    assert [e["id"] for e in api.get("events", agent="a0").json()["data"]] == ["e6", "e4", "e2"]
    span = {"from": "2026-10-02T00:00:00Z", "to": "2026-10-04T00:00:00Z"}
    assert [e["id"] for e in api.get("events", **span).json()["data"]] == ["e3", "e2"]
    assert api.get("events", agnet="a0").json()["code"] == "parameter_unknown"
    assert api.get("events", cursor="!!").json()["code"] == "cursor_invalid"


def test_a_taken_back_event_stays_and_counts_for_nothing(api: Api, event: Build) -> None:
    api.meter("turns", event_type="agent.turn", aggregation="count")
    api.post("events", [event("e1"), event("e2")])
    void = {"source": "edge/berlin-7", "id": "e1", "reason": "sent by a test"}
    first = api.post("events/void", void)
    assert first.status_code == 200
    assert api.post("events/void", void).json() == first.json()
    assert api.quantity("turns") == "1"
    assert {e["id"]: e["voided"] for e in api.get("events").json()["data"]} == {"e1": True, "e2": False}
    assert api.post("events", event("e1")).json()["duplicates"] == 1
    missing = api.post("events/void", void | {"id": "nope"})
    assert (missing.status_code, missing.json()["code"]) == (404, "event_not_found")


def test_an_amended_event_counts_as_its_replacement_only(api: Api, event: Build) -> None:
    api.meter("tokens", event_type="agent.turn", aggregation="sum", value="data.n")
    api.post("events", event("e1", data={"n": 100}))
    amend = {"source": "edge/berlin-7", "id": "e1", "reason": "counted twice", "event": event("e1-b", data={"n": "50"})}
    first = api.post("events/amend", amend)
    assert (first.status_code, first.json()["replacement"]) == (200, {"source": "edge/berlin-7", "id": "e1-b"})
    assert api.post("events/amend", amend).json() == first.json()
    assert api.quantity("tokens") == "50"


@pytest.mark.parametrize(
    ("change", "status", "code"),
    [
        ({"id": "nope"}, 404, "event_not_found"),
        ({"event": {"id": "x"}}, 422, "batch_rejected"),
        (
            {"event": {"specversion": "1.0", "id": "e1", "source": "edge/berlin-7", "type": "t"}},
            422,
            "amendment_invalid",
        ),
    ],
)
def test_an_amendment_that_cannot_be_made_changes_nothing(
    api: Api, event: Build, change: dict[str, Any], status: int, code: str
) -> None:
    api.meter("turns", event_type="agent.turn", aggregation="count")
    api.post("events", event("e1"))
    body = {"source": "edge/berlin-7", "id": "e1", "reason": "x", "event": event("e2")} | change
    answer = api.post("events/amend", body)
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert api.quantity("turns") == "1"
