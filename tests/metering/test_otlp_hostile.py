"""Whatever is sent to the OTLP door, it answers with a status of its own and never with a fault."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.api import Api
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
_fuzz = settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])


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
