"""Whatever is sent to the OTLP door, it answers with a status of its own and never with a fault."""

from __future__ import annotations

import json
import math
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from opentelemetry.proto.common.v1.common_pb2 import AnyValue

from metering.models import UsageEvent
from tests.api import Api
from tests.examples import examples
from tests.metering.otlp import AGENT, CHAT, PROTOBUF, TRACE, request, send, span, to_protobuf

_scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20)
_json = st.recursive(
    _scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=10), inner, max_size=3)
)
_names = st.sampled_from(
    [
        "gen_ai.operation.name",
        "gen_ai.usage.input_tokens",
        "gen_ai.request.model",
        "gen_ai.response.finish_reasons",
        "openinference.span.kind",
        "llm.cost.total",
        "customer.id",
        "taximeter.unit",
        "x",
    ]
)
_words = st.sampled_from(["chat", "invoke_agent", "execute_tool", "LLM", "a\x00b", ""])
_values = st.fixed_dictionaries(
    {},
    optional={
        "stringValue": _words | _json,
        "intValue": st.integers() | _json,
        "doubleValue": st.floats() | st.sampled_from(["NaN", "Infinity", "x"]),
        "boolValue": st.booleans(),
        "arrayValue": _json
        | st.fixed_dictionaries({"values": st.lists(st.fixed_dictionaries({"stringValue": _words}))}),
    },
)
_attributes = st.lists(st.fixed_dictionaries({"key": _names, "value": _values}), max_size=4) | _json
_ids = st.sampled_from([TRACE, "c100000000000000", "0" * 16, "", "zz"]) | _json
_spans = st.fixed_dictionaries(
    {},
    optional={
        "traceId": st.just(TRACE) | _ids,
        "spanId": st.just("c100000000000000") | _ids,
        "parentSpanId": _ids,
        "name": _words | _json,
        "startTimeUnixNano": st.integers(0, 2**64) | _json,
        "endTimeUnixNano": st.integers(0, 2**64) | st.just("1791018764120000000") | _json,
        "attributes": _attributes,
        "status": _json,
    },
)
_requests = st.builds(
    lambda spans, resource: {
        "resourceSpans": [{"resource": {"attributes": resource}, "scopeSpans": [{"spans": spans}]}]
    },
    st.lists(_spans, max_size=3),
    _attributes,
)
_fuzz = settings(
    max_examples=examples(25, thorough=500),
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


@_fuzz
@given(body=_requests | _json)
def test_no_json_is_a_fault_of_the_server(api: Api, body: Any) -> None:
    assert send(api, json.dumps(body).encode()).status_code in {200, 400}


@_fuzz
@given(data=st.data())
def test_no_bytes_are_a_fault_of_the_server(api: Api, data: st.DataObject) -> None:
    whole = bytearray(to_protobuf(request(span("a1", AGENT), span("c1", CHAT))))
    for _ in range(data.draw(st.integers(0, 6))):
        whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    cut = data.draw(st.integers(0, len(whole)))
    body = data.draw(st.binary(max_size=60)) if data.draw(st.booleans()) else bytes(whole[:cut])
    headers = {"content-encoding": "gzip"} if data.draw(st.booleans()) else {}
    assert send(api, body, PROTOBUF, **headers).status_code in {200, 400}


def _deep(levels: int) -> AnyValue:
    value = AnyValue(string_value="the secret prompt")
    for _ in range(levels):
        outer = AnyValue()
        outer.kvlist_value.values.add(key="messages").value.CopyFrom(value)
        value = outer
    return value


def test_hostile_values_cost_their_own_span_and_each_span_is_accounted_for(api: Api) -> None:
    message = ExportTraceServiceRequest()
    scope = message.resource_spans.add().scope_spans.add()

    def add(number: int, values: dict[str, AnyValue], **changes: Any) -> None:
        ids = {"trace_id": bytes.fromhex(TRACE), "span_id": number.to_bytes(8)}
        times = {"start_time_unix_nano": 1791018762620000000, "end_time_unix_nano": 1791018764120000000}
        added = scope.spans.add(**(ids | times | changes))
        for key, value in ({"gen_ai.operation.name": AnyValue(string_value="chat")} | values).items():
            added.attributes.add(key=key).value.CopyFrom(value)

    tokens = "gen_ai.usage.input_tokens"
    add(1, {tokens: AnyValue(int_value=410), "gen_ai.input.messages": _deep(25), "x" * 100_000: _deep(1)})
    add(2, {tokens: AnyValue(double_value=math.nan)})
    add(3, {tokens: AnyValue(double_value=math.inf)})
    add(4, {tokens: AnyValue(int_value=2**63 - 1)})
    add(5, {tokens: AnyValue(int_value=-1)})
    add(6, {"llm.cost.total": AnyValue(double_value=math.nan), tokens: AnyValue(int_value=1)})
    add(7, {tokens: AnyValue(int_value=1)}, span_id=b"")
    add(8, {tokens: AnyValue(int_value=1)}, trace_id=b"short")
    add(9, {tokens: AnyValue(int_value=1)}, end_time_unix_nano=0)
    add(10, {tokens: AnyValue(int_value=1)}, start_time_unix_nano=0)
    add(11, {tokens: AnyValue(int_value=1)}, end_time_unix_nano=2**64 - 1)  # the year 2554
    add(12, {tokens: AnyValue(int_value=1), "gen_ai.request.model": AnyValue(string_value="a\0b")})
    add(13, {tokens: AnyValue(bytes_value=b"1"), "gen_ai.response.model": _deep(3)})
    add(14, {"gen_ai.operation.name": _deep(2)})
    answer = send(api, message.SerializeToString(), PROTOBUF)
    assert answer.status_code == 200
    told = ExportTraceServiceResponse.FromString(answer.content).partial_success
    assert told.rejected_spans == 9
    assert "9 of 14 spans were refused" in told.error_message
    assert "1 of 14 spans are no GenAI operations" in told.error_message
    kept = {int(event.event_id.rpartition("/")[2], 16): event for event in UsageEvent.objects.all()}
    assert set(kept) == {1, 10, 11, 13}
    assert kept[1].data["input_tokens"] == 410
    assert "duration_ms" not in kept[10].data
    assert "secret" not in str([event.data for event in kept.values()])


def test_an_attribute_nested_without_end_is_passed_over_where_nothing_is_taken_from_it(api: Api) -> None:
    """Protobuf reads no deeper than a hundred messages; here are six hundred, written by hand."""
    inner = AnyValue(string_value="x").SerializeToString()
    for _ in range(200):
        pair = b"\x12" + _varint(len(inner)) + inner  # KeyValue.value
        listed = b"\x0a" + _varint(len(pair)) + pair  # KeyValueList.values
        inner = b"\x32" + _varint(len(listed)) + listed  # AnyValue.kvlist_value
    attribute = b"\x0a\x01x\x12" + _varint(len(inner)) + inner
    one = bytearray(to_protobuf(request(span("c1", CHAT))))
    whole = ExportTraceServiceRequest.FromString(bytes(one))
    found = whole.resource_spans[0].scope_spans[0].spans[0].SerializeToString()
    found += b"\x4a" + _varint(len(attribute)) + attribute  # Span.attributes
    scope = b"\x12" + _varint(len(found)) + found
    group = b"\x12" + _varint(len(scope)) + scope
    answer = send(api, b"\x0a" + _varint(len(group)) + group, PROTOBUF)
    assert answer.status_code == 200
    assert UsageEvent.objects.get().data["input_tokens"] == 410


def _varint(value: int) -> bytes:
    parts = bytearray()
    while value > 127:
        parts.append(value & 127 | 128)
        value >>= 7
    return bytes([*parts, value])
