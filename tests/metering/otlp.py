"""OTLP requests for tests, in JSON and in protobuf."""

from __future__ import annotations

import json
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from tests.api import Api

PROTOBUF = "application/x-protobuf"
CHAT = {"gen_ai.operation.name": "chat", "gen_ai.usage.input_tokens": 410, "gen_ai.usage.output_tokens": 58}
TOOL = {"gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": "search"}
AGENT = {"gen_ai.operation.name": "invoke_agent", "gen_ai.agent.name": "support"}

TRACE = "5b8efff798038103d269b633813fc60c"
#: 3 October 2026, 09:12:44.120 UTC, and 1.5 seconds before it.
END, START = "1791018764120000000", "1791018762620000000"


def attributes(values: dict[str, Any]) -> list[dict[str, Any]]:
    return [{"key": key, "value": _value(value)} for key, value in values.items()]


def _value(value: Any) -> dict[str, Any]:
    if isinstance(value, bool):
        return {"boolValue": value}
    if isinstance(value, int):
        return {"intValue": str(value)}
    if isinstance(value, float):
        return {"doubleValue": value}
    if isinstance(value, list):
        return {"arrayValue": {"values": [_value(item) for item in value]}}
    return {"stringValue": value}


def span(span_id: str, values: dict[str, Any], *, parent: str = "", **changes: Any) -> dict[str, Any]:
    """A span whose id is `span_id` filled up with zeros."""
    return {
        "traceId": TRACE,
        "spanId": span_id.ljust(16, "0"),
        "parentSpanId": parent and parent.ljust(16, "0"),
        "name": "a span",
        "kind": 1,
        "startTimeUnixNano": START,
        "endTimeUnixNano": END,
        "attributes": attributes(values),
        "status": {},
    } | changes


def request(*spans: dict[str, Any], resource: dict[str, Any] | None = None) -> dict[str, Any]:
    return {
        "resourceSpans": [
            {
                "resource": {"attributes": attributes({"customer.id": "acme"} if resource is None else resource)},
                "scopeSpans": [{"scope": {"name": "test"}, "spans": list(spans)}],
            }
        ]
    }


def to_protobuf(body: dict[str, Any]) -> bytes:
    """The same request, built with the published messages."""
    message = ExportTraceServiceRequest()
    for group in body["resourceSpans"]:
        out = message.resource_spans.add()
        for attribute in group["resource"]["attributes"]:
            _fill(out.resource.attributes.add(), attribute)
        scope = out.scope_spans.add()
        for given_span in group["scopeSpans"][0]["spans"]:
            added = scope.spans.add(
                trace_id=bytes.fromhex(given_span["traceId"]),
                span_id=bytes.fromhex(given_span["spanId"]),
                parent_span_id=bytes.fromhex(given_span["parentSpanId"]),
                name=given_span["name"],
                start_time_unix_nano=int(given_span["startTimeUnixNano"]),
                end_time_unix_nano=int(given_span["endTimeUnixNano"]),
            )
            added.status.code = given_span["status"].get("code", 0)
            for attribute in given_span["attributes"]:
                _fill(added.attributes.add(), attribute)
    return message.SerializeToString()


def _fill(out: Any, attribute: dict[str, Any]) -> None:
    out.key = attribute["key"]
    value = attribute["value"]
    if "intValue" in value:
        out.value.int_value = int(value["intValue"])
    elif "arrayValue" in value:
        for item in value["arrayValue"]["values"]:
            out.value.array_value.values.add(string_value=item["stringValue"])
    else:
        out.value.string_value = value["stringValue"]


def send(api: Api, body: Any, content_type: str = "application/json", **headers: str) -> Any:
    data = body if isinstance(body, bytes) else json.dumps(body)
    return api.client.post("/v1/traces", data=data, content_type=content_type, headers=headers)
