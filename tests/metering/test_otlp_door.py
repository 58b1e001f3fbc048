"""`POST /v1/traces` as OTLP/HTTP has it: encodings, answers, refusals, limits."""

from __future__ import annotations

import gzip
import json
from typing import Any

import pytest
from django.db import OperationalError, connection
from google.rpc import error_details_pb2, status_pb2
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)

from metering.api import relief
from metering.models import UsageEvent
from tests.api import Api, make_api
from tests.metering.otlp import AGENT, CHAT, PROTOBUF, TOOL, TRACE, request, send, span, to_protobuf


def partial(answer: Any) -> tuple[int, str]:
    assert (answer.status_code, answer["content-type"]) == (200, "application/json")
    found = answer.json()["partialSuccess"]
    return int(found.get("rejectedSpans", 0)), found["errorMessage"]


def test_a_trace_by_hand_in_json_counts_at_once(api: Api) -> None:
    api.customer("acme")
    for key, event_type in {"tasks": "agent.task", "calls": "agent.tool_call", "decisions": "agent.decision"}.items():
        api.meter(key, event_type=event_type, aggregation="count")
    api.meter("tokens", event_type="inference.call", aggregation="sum", value="data.input_tokens")
    body = """
    {"resourceSpans": [{
      "resource": {"attributes": [{"key": "customer.id", "value": {"stringValue": "acme"}}]},
      "scopeSpans": [{"scope": {}, "futureField": 7, "spans": [
        {"traceId": "5B8EFFF798038103D269B633813FC60C", "spanId": "EEE19B7EC3C1B173",
         "parentSpanId": "EEE19B7EC3C1B174", "name": "chat gpt-4o", "kind": 3,
         "startTimeUnixNano": "1791018762620000000", "endTimeUnixNano": 1791018764120000000,
         "attributes": [
           {"key": "gen_ai.operation.name", "value": {"stringValue": "chat"}},
           {"key": "gen_ai.input.messages", "value": {"stringValue": "the secret prompt"}},
           {"key": "gen_ai.usage.input_tokens", "value": {"intValue": "410"}},
           {"key": "gen_ai.usage.output_tokens", "value": {"intValue": 58}}],
         "status": {"code": 1}},
        {"traceId": "5b8efff798038103d269b633813fc60c", "spanId": "eee19b7ec3c1b175",
         "parentSpanId": "eee19b7ec3c1b174", "name": "execute_tool search",
         "startTimeUnixNano": "1791018762620000000", "endTimeUnixNano": "1791018764120000000",
         "attributes": [{"key": "gen_ai.operation.name", "value": {"stringValue": "execute_tool"}}]},
        {"traceId": "5b8efff798038103d269b633813fc60c", "spanId": "eee19b7ec3c1b174",
         "parentSpanId": null, "name": "invoke_agent support",
         "startTimeUnixNano": "1791018762620000000", "endTimeUnixNano": "1791018764120000000",
         "attributes": [{"key": "gen_ai.operation.name", "value": {"stringValue": "invoke_agent"}}]}
      ]}]}]}"""
    answer = send(api, body.encode())
    assert (answer.status_code, answer["content-type"], answer.json()) == (200, "application/json", {})
    assert [api.quantity(key, customer="acme") for key in ("tasks", "calls", "decisions", "tokens")] == [
        "1",
        "1",
        "1",
        "410",
    ]
    assert not UsageEvent.objects.filter(data__icontains="secret").exists()


def test_protobuf_says_the_same_as_json(api: Api, another_api: Api) -> None:
    body = request(span("a1", AGENT, status={"code": 2}), span("b1", TOOL, parent="a1"), span("c1", CHAT, parent="b1"))
    answer = send(api, to_protobuf(body), PROTOBUF)
    assert (answer.status_code, answer["content-type"], answer.content) == (200, PROTOBUF, b"")
    assert send(another_api, body).json() == {}
    stored = [
        list(
            UsageEvent.objects.filter(organization=each.organization)
            .order_by("event_id")
            .values_list("event_id", "type", "subject", "time", "data")
        )
        for each in (api, another_api)
    ]
    assert stored[0] == stored[1]
    assert len(stored[0]) == 4


@pytest.mark.parametrize("content_type", [PROTOBUF, "application/json", "application/json; charset=utf-8"])
def test_gzip_is_taken_in_both_encodings(api: Api, content_type: str) -> None:
    body = request(span("c1", CHAT))
    plain = to_protobuf(body) if content_type == PROTOBUF else json.dumps(body).encode()
    assert send(api, gzip.compress(plain), content_type, **{"content-encoding": "gzip"}).status_code == 200
    assert UsageEvent.objects.get().data["input_tokens"] == 410


def test_a_span_sent_again_alone_or_with_others_is_a_duplicate(api: Api) -> None:
    spans = [span("a1", AGENT), span("b1", TOOL, parent="a1"), span("c1", CHAT, parent="b1")]
    assert send(api, request(*spans)).json() == {}
    for again in (spans, spans[::-1], [spans[2]], [spans[1]], [spans[0]]):
        assert send(api, request(*again)).json() == {}
    assert send(api, to_protobuf(request(*spans)), PROTOBUF).content == b""
    assert UsageEvent.objects.count() == 4


def test_a_span_sent_again_with_other_content_is_refused_and_the_first_stays(api: Api) -> None:
    send(api, request(span("c1", CHAT)))
    rejected, message = partial(send(api, request(span("c1", CHAT | {"gen_ai.usage.input_tokens": 9}))))
    assert rejected == 1
    assert "id_conflict" in message
    assert UsageEvent.objects.get().data["input_tokens"] == 410


def test_what_is_refused_is_counted_and_what_is_passed_over_is_told(api: Api) -> None:
    rejected, message = partial(
        send(
            api,
            request(
                span("c1", CHAT),
                span("c2", {"gen_ai.operation.name": "dream"}),
                span("c3", CHAT | {"gen_ai.usage.input_tokens": -1}),
                span("f1", {"http.request.method": "GET"}),
                span("f2", {"gen_ai.operation.name": "retrieval"}),
            ),
        )
    )
    assert rejected == 1
    assert message == (
        "1 of 5 spans were refused (tokens_invalid: 1): span c300000000000000: gen_ai.usage.input_tokens is not a "
        "number of tokens. 1 of 5 spans are no GenAI operations. 1 of 5 spans are steps that no unit of agent activity "
        "is made of. 1 of 5 spans are operations that are not known here and name no model with tokens"
    )
    assert UsageEvent.objects.count() == 1


def test_spans_that_are_not_genai_are_a_warning_and_not_rejected(api: Api) -> None:
    body = request(span("f1", {"http.request.method": "GET"}))
    assert partial(send(api, body)) == (0, "1 of 1 spans are no GenAI operations")
    answer = ExportTraceServiceResponse.FromString(send(api, to_protobuf(body), PROTOBUF).content)
    assert answer.partial_success.rejected_spans == 0
    assert answer.partial_success.error_message == "1 of 1 spans are no GenAI operations"


def test_a_span_without_a_customer_is_kept_and_told(api: Api) -> None:
    rejected, message = partial(send(api, request(span("c1", CHAT), resource={})))
    assert (rejected, message.startswith("1 of 1 spans name no customer")) == (0, True)
    assert UsageEvent.objects.get().subject is None


def test_the_header_names_the_customer_of_spans_that_name_none(api: Api) -> None:
    assert send(api, request(span("c1", CHAT), resource={}), **{"x-customer": "globex"}).json() == {}
    assert send(api, request(span("c2", CHAT)), **{"x-customer": "globex"}).json() == {}
    assert set(UsageEvent.objects.values_list("event_id", "subject")) == {
        (f"{TRACE}/c100000000000000", "globex"),
        (f"{TRACE}/c200000000000000", "acme"),
    }
    assert send(api, request(span("c1", CHAT)), **{"x-customer": "x" * 256}).status_code == 400


def test_a_value_that_a_meter_cannot_count_rejects_its_span(api: Api) -> None:
    api.meter("odd", event_type="inference.call", aggregation="sum", value="data.model")
    rejected, message = partial(
        send(api, request(span("c1", CHAT | {"gen_ai.request.model": "gpt"}), span("c2", CHAT)))
    )
    assert (rejected, "value_not_a_number" in message) == (1, True)
    assert UsageEvent.objects.count() == 1


@pytest.mark.parametrize("empty", [{}, {"resourceSpans": []}, {"resourceSpans": [{"scopeSpans": [{}]}]}])
def test_an_empty_request_succeeds(api: Api, empty: dict[str, Any]) -> None:
    assert send(api, empty).json() == {}
    # The test client leaves the content type of an empty body away unless it is a header.
    answer = send(api, b"", PROTOBUF, **{"content-type": PROTOBUF})
    assert (answer.status_code, answer["content-type"], answer.content) == (200, PROTOBUF, b"")


def status_of(answer: Any) -> status_pb2.Status:
    assert answer["content-type"] == PROTOBUF
    return status_pb2.Status.FromString(answer.content)


def test_refusals_are_a_status_in_the_encoding_of_the_request(api: Api) -> None:
    malformed = send(api, b"{no json")
    assert (malformed.status_code, malformed["content-type"]) == (400, "application/json")
    assert malformed.json()["code"] == 3
    assert "malformed_json" in malformed.json()["message"]
    assert malformed.json()["details"][0]["@type"] == "type.googleapis.com/google.rpc.BadRequest"
    status = status_of(send(api, b"\xff\xff\xff", PROTOBUF))
    details = error_details_pb2.BadRequest()
    assert status.code == 3
    assert status.details[0].Unpack(details)
    assert "OTLP" in details.field_violations[0].description


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b'"text"',
        b'{"resourceSpans": 7}',
        b'{"resourceSpans": [{"scopeSpans": [{"spans": [{"traceId": 7}]}]}]}',
        b'{"resourceSpans": [{"scopeSpans": [{"spans": [{"endTimeUnixNano": "-1"}]}]}]}',
        b'{"resourceSpans": [{"scopeSpans": [{"spans": [{"endTimeUnixNano": "99999999999999999999"}]}]}]}',
        b'{"resourceSpans": ' + b"[" * 100_000,
        b"\xff\xfe",
    ],
)
def test_json_that_is_no_request_is_a_bad_request(api: Api, body: bytes) -> None:
    assert send(api, body).status_code == 400


def test_without_a_key_or_its_scope_nothing_is_taken(api: Api) -> None:
    body = to_protobuf(request(span("c1", CHAT)))
    stranger = send(api, body, PROTOBUF, authorization="Bearer wrong")
    assert (stranger.status_code, stranger["www-authenticate"]) == (401, 'Bearer realm="taximeter"')
    assert status_of(stranger).code == 16
    reader = send(make_api("Reading vendor", "read"), body, PROTOBUF)
    assert (reader.status_code, status_of(reader).code) == (403, 7)
    assert send(make_api("Sending vendor", "ingest"), body, PROTOBUF).status_code == 200


def test_other_types_methods_and_encodings_are_refused(api: Api) -> None:
    assert send(api, b"a=b", "text/plain").status_code == 415
    assert send(api, b"x", PROTOBUF, **{"content-encoding": "br"}).status_code == 415
    assert status_of(send(api, b"x", PROTOBUF, **{"content-encoding": "gzip"})).code == 3
    assert api.client.get("/v1/traces").status_code == 405


def test_accept_does_not_choose_the_answers_encoding(api: Api) -> None:
    answer = send(api, request(span("c1", CHAT)), accept="application/x-protobuf")
    assert (answer.status_code, answer["content-type"]) == (200, "application/json")


def test_too_much_is_refused_whole(api: Api) -> None:
    many = send(api, request(*[{} for _ in range(10_001)]))
    assert (many.status_code, "too_many_spans" in many.json()["message"]) == (413, True)
    empty_spans = ExportTraceServiceRequest()
    scope = empty_spans.resource_spans.add().scope_spans.add()
    for _ in range(10_001):
        scope.spans.add()
    assert send(api, empty_spans.SerializeToString(), PROTOBUF).status_code == 413
    bomb = gzip.compress(b" " * (17 * 1024 * 1024))
    assert send(api, bomb, **{"content-encoding": "gzip"}).status_code == 413
    assert send(api, bomb, PROTOBUF, **{"content-encoding": "gzip"}).status_code == 413
    wide = request(span("c1", CHAT | {"gen_ai.input.messages": "x" * (5 * 1024 * 1024)}))
    assert (send(api, wide).status_code, send(api, to_protobuf(wide), PROTOBUF).status_code) == (413, 413)


def test_ten_thousand_tools_are_one_request(api: Api) -> None:
    assert send(api, request(*[span(f"b{i:07x}", TOOL) for i in range(10_000)])).json() == {}
    assert UsageEvent.objects.count() == 20_000


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("content_type", [PROTOBUF, "application/json"])
def test_a_database_that_is_away_is_a_503_and_sending_again_counts_once(
    content_type: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(relief, "SHUT_SECONDS", 0.0)
    api = make_api("Vendor")
    body = request(span("c1", CHAT))
    data = to_protobuf(body) if content_type == PROTOBUF else json.dumps(body).encode()

    def away(execute: Any, sql: str, *rest: Any) -> Any:
        if "metering_usageevent" in sql:
            raise OperationalError("the connection was lost")
        return execute(sql, *rest)

    with connection.execute_wrapper(away):
        answer = send(api, data, content_type)
    assert (answer.status_code, answer["retry-after"]) == (503, "1")
    assert answer["content-type"] == content_type
    if content_type == PROTOBUF:
        retry = error_details_pb2.RetryInfo()
        assert status_of(answer).details[0].Unpack(retry)
        assert (status_of(answer).code, retry.retry_delay.seconds) == (14, 1)
    for _ in range(2):
        assert send(api, data, content_type).status_code == 200
    assert UsageEvent.objects.count() == 1


def test_the_door_asks_the_database_little(api: Api, django_assert_max_num_queries: Any) -> None:
    with django_assert_max_num_queries(8):
        send(api, request(*[span(f"c{i}", CHAT) for i in range(1, 9)]))


def test_a_span_of_a_call_that_was_counted_before_is_told_and_not_counted(api: Api, another_api: Api) -> None:
    call = "call_01K0ABCDEFGHJKMNPQRSTVWXYZ"
    event = {"specversion": "1.0", "source": "taximeter/inference", "id": f"call/{call}", "type": "inference.call"}
    assert api.post("events", event).json()["accepted"] == 1
    body = request(
        span("c1", CHAT | {"gen_ai.response.id": f"chatcmpl-{call}"}),
        span("c2", CHAT | {"gen_ai.response.id": "chatcmpl-call_01K0ABCDEFGHJKMNPQRSTVWXY0"}),
        span("c3", CHAT | {"gen_ai.response.id": f"chatcmpl-{call}x"}),
        span("c4", CHAT | {"gen_ai.response.id": 7}),
        span("a1", AGENT | {"gen_ai.response.id": f"chatcmpl-{call}"}),
    )
    for data, content_type in ((json.dumps(body).encode(), "application/json"), (to_protobuf(body), PROTOBUF)):
        answer = send(api, data, content_type)
        assert answer.status_code == 200
        assert b"1 of 5 spans are calls that this server answered and counted itself" in answer.content
    calls = UsageEvent.objects.filter(type="inference.call")
    own = calls.filter(organization=api.organization, source="opentelemetry")
    assert {event.event_id.rpartition("/")[2][:2] for event in own} == {"c2", "c3", "c4"}
    assert "chatcmpl" not in str([event.data for event in own])
    send(another_api, body)  # whose calls these are not
    assert calls.filter(organization=another_api.organization).count() == 4
