"""The events door against the API's contract, line by line, as a client that means no good or knows no better."""

from __future__ import annotations

import gzip
import json
import time
import zlib
from collections.abc import Callable
from typing import Any

import pytest

from metering.models import UsageEvent
from tests.api import Api

Build = Callable[..., dict[str, Any]]

GOOD = b'{"specversion":"1.0","id":"good","source":"s","type":"t"}'
MIB = 1024 * 1024


def raw(**fields: str) -> bytes:
    """An event whose fields are JSON texts as they stand."""
    given = {"specversion": '"1.0"', "id": '"e1"', "source": '"s"', "type": '"t"'} | fields
    return ("{" + ",".join(f'"{name}":{value}' for name, value in given.items()) + "}").encode()


def outcome(answer: Any) -> tuple[int, int, list[tuple[int, str | None, str]]]:
    assert answer.status_code == 200, answer.content
    body = answer.json()
    assert all(set(r) == {"index", "id", "code", "detail"} and r["detail"] for r in body["rejected"])
    return body["accepted"], body["duplicates"], [(r["index"], r["id"], r["code"]) for r in body["rejected"]]


@pytest.mark.parametrize(
    ("content_type", "status"),
    [
        ("application/json; charset=utf-8", 200),
        ("Application/CloudEvents+JSON", 200),
        ("application/cloudevents-batch+json;charset=UTF-8", 200),
        ("text/plain", 415),
        ("application/xml", 415),
        ("multipart/form-data; boundary=x", 415),
        ("application/x-protobuf", 415),
        ("application/jsonp", 415),
    ],
)
def test_only_the_types_of_cloudevents_are_taken(api: Api, content_type: str, status: int) -> None:
    answer = api.post("events", GOOD, content_type=content_type)
    assert answer.status_code == status
    assert UsageEvent.objects.count() == (status == 200)


def test_as_much_as_is_promised_is_taken_and_not_one_more(api: Api) -> None:
    batch = b"[" + b",".join(raw(id=f'"{i}"') for i in range(10_000)) + b"]"
    assert outcome(api.post("events", batch)) == (10_000, 0, [])
    for filled, status in ((16 * MIB, 200), (16 * MIB + 1, 413)):
        body = GOOD.ljust(filled)
        for answer in (api.post("events", body), api.post_gzip("events", body)):
            assert answer.status_code == status
    assert UsageEvent.objects.count() == 10_001


def test_bombs_of_any_make_cost_little(api: Api) -> None:
    started = time.process_time()  # what this process worked, however busy the machine is
    bomb = gzip.compress(b"[" + b" " * 400 * MIB, 9)
    members = gzip.compress(b"") * 400_000
    spaces = b"".join(gzip.compress(b" " * 100_000) for _ in range(300))
    answers = [
        api.post("events", body, **{"content-encoding": "gzip"})
        for body in (bomb, members, spaces, gzip.compress(bomb), GOOD, gzip.compress(GOOD) + b"more", b"\x1f\x8b")
    ]
    assert [(a.status_code, a.json()["code"]) for a in answers] == [
        (413, "too_large"),
        (400, "malformed_gzip"),
        (413, "too_large"),
        (400, "malformed_json"),
        (400, "malformed_gzip"),
        (400, "malformed_gzip"),
        (400, "malformed_gzip"),
    ]
    assert time.process_time() - started < 15
    assert outcome(api.post("events", gzip.compress(b"[") + gzip.compress(GOOD + b"]"), **{"content-encoding": "gzip"}))
    for encoding in ("deflate", "br", "zstd", "gzip, gzip"):
        assert api.post("events", zlib.compress(GOOD), **{"content-encoding": encoding}).status_code == 415
    assert UsageEvent.objects.count() == 1


@pytest.mark.parametrize(
    "body",
    [
        b'{"id": NaN}',
        b'{"id": Infinity}',
        b'[{"id": "a\x01b"}]',
        b'[{"id": "\xff"}',
        b"[" + GOOD + b",]",
        b"x[" + GOOD + b"]",
        b"[" + GOOD + b"] [" + GOOD + b"]",
        b'["\\ud800",]',
        b'x["\\ud800"]',
        b'["\\ud800"] 1',
        b'["\\ud800", NaN]',
        b'["\\ud800" 1]',
        b'{"a": ' * 50_000,
        b'{"specversion":"1.0",' + b'"a":[' * 20_000 + b"]" * 20_000 + b"}",
        b"\xef\xbb\xbf" + GOOD,
        GOOD.decode().encode("utf-16"),
    ],
)
def test_what_is_no_json_is_malformed_and_nothing_of_it_is_taken(api: Api, body: bytes) -> None:
    answer = api.post("events", body)
    assert (answer.status_code, answer.json()["code"]) == (400, "malformed_json")
    assert answer["content-type"] == "application/problem+json"
    assert not UsageEvent.objects.exists()


@pytest.mark.parametrize(
    ("event", "event_id", "code"),
    [
        (raw(id='"\\ud83d"'), "?", "event_invalid"),
        (raw(subject='"cut \\ud83d"'), "e1", "event_invalid"),
        (raw(data='{"goal": "cut off \\ud83d"}'), "e1", "event_invalid"),
        (raw(id='"\\u0000"'), "\x00", "field_invalid"),
        (raw(subject='"a\\u0000"'), "e1", "field_invalid"),
        (raw(data='{"a\\u0000": 1}'), "e1", "data_invalid"),
        (raw(id="7"), None, "field_invalid"),
        (raw(id="null"), None, "field_invalid"),
        (raw(id=f'"{"x" * 1025}"'), "x" * 1024, "field_invalid"),
        (raw(source=f'"{"x" * 1025}"'), "e1", "field_invalid"),
        (raw(type=f'"{"x" * 256}"'), "e1", "field_invalid"),
        (raw(subject=f'"{"x" * 256}"'), "e1", "field_invalid"),
        (raw(subject='""'), "e1", "field_invalid"),
        (raw(source='""'), "e1", "field_invalid"),
        (raw(specversion='"1.0.2"'), "e1", "specversion_unsupported"),
        (raw(time='"2026-12-31T23:59:60Z"'), "e1", "time_invalid"),
        (raw(time='"9999-12-31T23:59:59Z"'), "e1", "time_invalid"),
        (raw(time='"9999-12-31T23:59:59-14:00"'), "e1", "time_invalid"),
        (raw(time='"0001-01-01T00:00:00+14:00"'), "e1", "time_invalid"),
        (raw(time='"1969-12-31T23:59:59Z"'), "e1", "time_invalid"),
        (raw(time='"2026-02-30T00:00:00Z"'), "e1", "time_invalid"),
        (raw(time='"2026-10-03"'), "e1", "time_invalid"),
        (raw(time="1791018762"), "e1", "time_invalid"),
        (raw(data="[]"), "e1", "data_invalid"),
        (raw(data='"text"'), "e1", "data_invalid"),
        (raw(data="null"), "e1", "data_invalid"),
        (raw(data_base64='"eyJhIjoxfQ=="'), "e1", "data_invalid"),
        (raw(data="{}", data_base64='"e30="'), "e1", "data_invalid"),
        (raw(data='{"n": 1e400}'), "e1", "data_invalid"),
        (raw(data='{"n": ' + "9" * 5000 + "}"), "e1", "data_invalid"),
        (raw(data='{"n": 0.' + "0" * 5000 + "1}"), "e1", "number_out_of_range"),
        (raw(data='{"a":' * 33 + "1" + "}" * 33), "e1", "data_invalid"),
        (raw(data='{"a":' * 500 + "1" + "}" * 500), "e1", "data_invalid"),
        (raw(data='{"a": "' + "x" * 65_536 + '"}'), "e1", "event_too_large"),
        (b"null", None, "event_invalid"),
        (b"[]", None, "event_invalid"),
        (b"{}", None, "field_missing"),
    ],
    ids=range(37),
)
def test_a_bad_event_is_named_and_costs_none_of_its_neighbours(
    api: Api, event: bytes, event_id: str | None, code: str
) -> None:
    accepted, duplicates, [rejection] = outcome(api.post("events", b"[" + event + b", " + GOOD + b"]"))
    assert (accepted, duplicates) == (1, 0)
    assert (rejection[0], rejection[1]) == (0, event_id)
    assert rejection[2] in {code, "number_out_of_range"} if code == "data_invalid" else rejection[2] == code
    strict = api.post("events", b"[" + event + b", " + raw(id='"other"') + b"]", prefer="handling=strict")
    assert (strict.status_code, strict.json()["code"]) == (422, "batch_rejected")
    assert [e.event_id for e in UsageEvent.objects.all()] == ["good"]


@pytest.mark.parametrize(
    "event",
    [
        raw(time='"2026-10-03T11:12:44.120+02:00"'),
        raw(time='"2026-10-03t09:12:44z"'),
        raw(time='"2026-10-03T09:12:44.123456789Z"'),
        raw(time='"1970-01-01T00:00:00+14:00"'),
        raw(time='"2999-12-31T23:59:59-12:00"'),
        raw(subject="null", time="null"),
        raw(datacontenttype='"application/json"', dataschema='"https://example.com/s"', data='{"a": 1}'),
        raw(traceparent='"00-5b8efff798038103d269b633813fc60c-eee19b7ec3c1b173-01"', sampledrate="1", partition="[1]"),
        raw(data='{"text": "\\ud83d\\ude00 \U0001f600 \\u2028", "n": -0.0, "big": 123456789012345678901234567890}'),
        raw(data='{"a": 1, "a": 2}'),
        raw(id='"a"', **{"id ": '"b"'}),
        raw(source='"https://example.com/a b?c=d#e"'),
        raw(data='{"n": 1E+2, "m": 1e-7}'),
    ],
    ids=range(13),
)
def test_what_cloudevents_allows_is_taken_and_is_a_duplicate_the_second_time(api: Api, event: bytes) -> None:
    assert outcome(api.post("events", event)) == (1, 0, [])
    assert outcome(api.post("events", b" \n[" + event + b"] ")) == (0, 1, [])
    assert api.get("events").status_code == 200


def test_of_a_key_given_twice_the_last_counts_everywhere(api: Api) -> None:
    api.meter("n", event_type="t", aggregation="sum", value="data.n")
    twice = raw(time='"2026-10-03T00:00:00Z"', data='{"n": 1, "n": 2}')
    assert outcome(api.post("events", twice)) == (1, 0, [])
    assert api.quantity("n") == "2"
    assert outcome(api.post("events", raw(time='"2026-10-03T00:00:00Z"', data='{"n": 2}'))) == (0, 1, [])


@pytest.mark.parametrize(
    ("prefer", "strict"),
    [
        ("handling=strict", True),
        ("Handling=Strict", True),
        ('handling="strict"', True),
        ("respond-async, wait=10, handling = strict; a=b", True),
        ("handling=strict, handling=lenient", True),
        ("handling=lenient, handling=strict", False),
        ("handling=strictly", False),
        ("handling", False),
        ("x-handling=strict", False),
        ('note="handling=strict"', False),
        ("return=minimal; handling=strict", False),
        ("", False),
        (",,;=", False),
    ],
)
def test_strictness_is_a_preference_as_its_rfc_has_it(api: Api, prefer: str, strict: bool) -> None:
    answer = api.post("events", b"[" + GOOD + b", {}]", prefer=prefer)
    assert answer.status_code == (422 if strict else 200)
    assert UsageEvent.objects.count() == (not strict)
    if strict:
        problem = answer.json()
        assert answer["content-type"] == "application/problem+json"
        assert {"type", "title", "status", "detail", "code", "accepted", "rejected"} <= set(problem)
        assert (problem["accepted"], [r["index"] for r in problem["rejected"]]) == (0, [1])
    taken = api.post("events", b"[" + GOOD + b"]", prefer=prefer)
    assert taken.get("Preference-Applied") == ("handling=strict" if strict else None)


def test_nothing_is_a_batch_too(api: Api) -> None:
    for prefer in ("handling=strict", "handling=lenient"):
        assert outcome(api.post("events", b"[ ]", prefer=prefer)) == (0, 0, [])


def test_another_organizations_customer_is_nobody_here(api: Api, another_api: Api, event: Build) -> None:
    another_api.customer("globex")
    another_api.meter("turns", event_type="agent.turn", aggregation="count")
    identifier = another_api.get("customers/globex").json()["id"]
    assert api.post("events", [event("a", subject="globex"), event("b", subject=identifier)]).json()["accepted"] == 2
    assert another_api.october("turns", customer="globex") == []
    assert another_api.get("events").json()["data"] == []
    assert api.get("customers/globex").status_code == 404


@pytest.mark.parametrize("value", ['"NaN"', '"-Infinity"', '"1e400"', "true", '"0x1"', '"\\u0661"', '" 1"', '"1_0"'])
def test_what_a_sum_needs_is_a_finite_number(api: Api, value: str) -> None:
    api.meter("n", event_type="t", aggregation="sum", value="data.n")
    accepted, _, [rejection] = outcome(api.post("events", b"[" + raw(data=f'{{"n": {value}}}') + b"," + GOOD + b"]"))
    assert (accepted, rejection) == (1, (0, "e1", "value_not_a_number"))


def test_json_as_people_make_it_is_read_as_it_stands(api: Api) -> None:
    body = json.dumps([json.loads(GOOD)], indent="\t").encode()
    assert outcome(api.post("events", b"\r\n\t " + body + b"\n")) == (1, 0, [])
