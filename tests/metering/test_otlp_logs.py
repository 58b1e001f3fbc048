"""`POST /v1/logs`: coding agents report their calls and tools by log records."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest
from google.protobuf import json_format
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest, ExportLogsServiceResponse

from launcher.paths import ROOT
from metering.models import UsageEvent
from tests.api import Api

CASES: dict[str, Any] = json.loads((ROOT / "tests" / "data" / "coding_agent_logs.json").read_text())
TOKENS = ("input_tokens", "cached_input_tokens", "cache_write_input_tokens", "output_tokens", "reasoning_tokens")


def send(api: Api, body: Any, *, protobuf: bool = False, **headers: str) -> dict[str, Any]:
    if protobuf:
        data = json_format.ParseDict(body, ExportLogsServiceRequest()).SerializeToString()
        answer = api.client.post("/v1/logs", data, content_type="application/x-protobuf", headers=headers)
        assert answer.status_code == 200, answer.content
        found: dict[str, Any] = json_format.MessageToDict(ExportLogsServiceResponse.FromString(answer.content))
        return found
    answer = api.client.post("/v1/logs", json.dumps(body), content_type="application/json", headers=headers)
    assert answer.status_code == 200, answer.content
    return dict(answer.json())


def stored() -> list[tuple[str, dict[str, Any]]]:
    return [(one.type, one.data) for one in UsageEvent.objects.order_by("time", "type", "identity")]


def record(tool: str, index: int, **attributes: Any) -> dict[str, Any]:
    """One record of a case with other attributes; None leaves one out."""
    body: dict[str, Any] = json.loads(json.dumps(CASES[tool]))
    [group] = body["resourceLogs"]
    [scope] = group["scopeLogs"]
    chosen = scope["logRecords"][index]
    kept = [one for one in chosen["attributes"] if one["key"] not in attributes]
    given = [{"key": key, "value": {"stringValue": value}} for key, value in attributes.items() if value is not None]
    scope["logRecords"] = [chosen | {"attributes": kept + given}]
    return body


@pytest.mark.parametrize("protobuf", [False, True])
def test_claude_code_is_a_call_with_its_cost_a_tool_call_and_a_failed_call(api: Api, protobuf: bool) -> None:
    told = send(api, CASES["claude_code"], protobuf=protobuf)
    assert told["partialSuccess"] == {
        "errorMessage": "1 of 4 records are steps that no unit of agent activity is made of"
    }
    (_, call), (_, decision), (_, tool), (_, failed) = stored()
    assert [kind for kind, _ in stored()] == [
        "inference.call", "agent.decision", "agent.tool_call", "inference.call",
    ]  # fmt: skip
    # 21 uncached, 1,886 cached and 188 written input tokens are 2,095.
    assert [call.get(name) for name in TOKENS] == [2095, 1886, 188, 93, None]
    assert (call["provider"], call["model"], call["cost"]) == ("anthropic", "claude-x", "0.0027288")
    assert (call["agent"], call["conversation_id"], call["duration_ms"]) == ("claude-code", "s-1", 1830)
    assert (tool["tool"], tool["duration_ms"], decision["choice"]) == ("Bash", 12, "Bash")
    assert tool["decision_id"] == decision["decision_id"]
    assert (failed["finish_reason"], failed["error"]) == ("error", "529")
    assert not {*TOKENS, "cost", "cost_currency"} & failed.keys()
    assert set(UsageEvent.objects.values_list("subject", flat=True)) == {"acme"}


def test_codex_counts_a_completed_response_and_its_tool(api: Api) -> None:
    send(api, CASES["codex"])
    assert [kind for kind, _ in stored()] == ["inference.call", "agent.decision", "agent.tool_call"]
    call, tool = stored()[0][1], stored()[2][1]
    assert [call.get(name) for name in TOKENS] == [1000, 600, None, 300, 200]
    assert (call["provider"], call["agent"], call["conversation_id"]) == ("openai", "codex", "c-1")
    assert tool["tool"] == "shell"


def test_gemini_clis_thoughts_are_output(api: Api) -> None:
    send(api, CASES["gemini_cli"])
    assert [kind for kind, _ in stored()] == ["inference.call", "agent.decision", "agent.tool_call"]
    call, tool = stored()[0][1], stored()[2][1]
    assert [call.get(name) for name in TOKENS] == [1000, 400, None, 300, 250]
    assert (call["agent"], tool["tool"]) == ("gemini-cli", "read_file")


def test_what_is_sent_again_in_the_other_encoding_adds_nothing(api: Api) -> None:
    for tool, protobuf in ((tool, protobuf) for tool in CASES for protobuf in (False, True, False)):
        send(api, CASES[tool], protobuf=protobuf)
    assert UsageEvent.objects.count() == 4 + 3 + 3


def test_two_records_that_differ_in_what_tells_them_apart_are_two_events(api: Api) -> None:
    for sequence in ("1", "2", "2"):
        send(api, record("claude_code", 1, **{"event.sequence": sequence}))
    assert UsageEvent.objects.count() == 2


def test_numbers_may_be_texts_as_some_versions_write_them(api: Api) -> None:
    send(api, record("claude_code", 1, input_tokens="21", cost_usd="0.0027288"))
    [(_, call)] = stored()
    assert (call["input_tokens"], call["cost"]) == (2095, "0.0027288")


def test_a_cost_is_summed_exactly_with_others(api: Api) -> None:
    api.meter("cost", event_type="inference.call", aggregation="sum", value="data.cost")
    send(api, CASES["claude_code"])
    total = sum(Decimal(data["cost"]) for _, data in stored() if "cost" in data)
    assert total == Decimal("0.0027288")


def test_a_tool_that_failed_says_so(api: Api) -> None:
    send(api, record("claude_code", 2, success="false"))
    assert stored()[1][1]["error"] == "error"


def test_the_customer_may_come_with_the_request(api: Api) -> None:
    body = record("codex", 1)
    body["resourceLogs"][0]["resource"]["attributes"] = []
    told = send(api, body)
    assert "name no customer" in told["partialSuccess"]["errorMessage"]
    body["resourceLogs"][0]["scopeLogs"][0]["logRecords"][0]["timeUnixNano"] = "1793000009000000000"
    assert "partialSuccess" not in send(api, body, **{"x-customer": "birch"})
    assert set(UsageEvent.objects.values_list("subject", flat=True)) == {None, "birch"}


def test_one_bad_record_costs_itself(api: Api) -> None:
    body = record("gemini_cli", 0)
    bad = record("gemini_cli", 0, input_token_count="many")
    nameless = record("gemini_cli", 1, function_name=None)
    timeless = record("gemini_cli", 1)
    timeless["resourceLogs"][0]["scopeLogs"][0]["logRecords"][0] |= {"timeUnixNano": "0", "observedTimeUnixNano": "0"}
    for other in (bad, nameless, timeless):
        body["resourceLogs"] += other["resourceLogs"]
    told = send(api, body)["partialSuccess"]
    assert told["rejectedLogRecords"] == "3"
    assert "(time_missing: 1, tokens_invalid: 1, tool_missing: 1)" in told["errorMessage"]
    assert [kind for kind, _ in stored()] == ["inference.call"]


def test_records_of_others_are_noticed_and_content_is_not_kept(api: Api) -> None:
    body = record("claude_code", 1, prompt="the secret prompt")
    other = record("claude_code", 0, **{"event.name": "http.request"})
    other["resourceLogs"][0]["scopeLogs"][0]["logRecords"][0]["body"] = {"stringValue": "GET /"}
    body["resourceLogs"] += other["resourceLogs"]
    assert send(api, body)["partialSuccess"]["errorMessage"] == (
        "1 of 2 records are of no coding agent that is known here"
    )
    assert "secret" not in json.dumps(stored())


@pytest.mark.parametrize(
    "body", [{"stringValue": 7}, {"stringValue": "x" * 400}, {"kvlistValue": {"values": [{"key": "a"}]}}, None]
)
def test_a_body_that_is_no_name_disturbs_nobody(api: Api, body: Any) -> None:
    sent = record("codex", 1)
    sent["resourceLogs"][0]["scopeLogs"][0]["logRecords"][0]["body"] = body
    assert "partialSuccess" not in send(api, sent)
    assert UsageEvent.objects.count() == 1


def test_a_body_nested_too_deeply_disturbs_nobody(api: Api) -> None:
    body = b""
    while len(body) < 280:  # an AnyValue of an array of one, deeper than protobuf reads
        inner = b"\x0a" + _length(body) + body
        body = b"\x2a" + _length(inner) + inner
    message = json_format.ParseDict(record("codex", 1), ExportLogsServiceRequest())
    raw = message.resource_logs[0].scope_logs[0].log_records[0]
    raw.ClearField("body")
    nested = raw.SerializeToString() + b"\x2a" + _length(body) + body
    scope = b"\x12" + _length(nested) + nested
    group = message.resource_logs[0].resource.SerializeToString()
    whole = b"\x0a" + _length(group) + group + b"\x12" + _length(scope) + scope
    answer = api.client.post(
        "/v1/logs", b"\x0a" + _length(whole) + whole, content_type="application/x-protobuf"
    )  # fmt: skip
    assert answer.status_code == 200, answer.content
    assert UsageEvent.objects.count() == 1


def _length(data: bytes) -> bytes:
    """A length as protobuf writes it."""
    number, found = len(data), b""
    while number > 127:
        found += bytes([number & 127 | 128])
        number >>= 7
    return found + bytes([number])


@pytest.mark.parametrize(
    ("body", "status"),
    [(b"{", 400), (b'{"resourceLogs": 7}', 400), (b"[" * 100_000, 400), (b"", 400), (b"{}", 200), (b"null", 400)],
)
def test_a_body_that_is_no_request_is_refused_as_otlp_does(api: Api, body: bytes, status: int) -> None:
    answer = api.client.post("/v1/logs", body, content_type="application/json")
    assert answer.status_code == status, answer.content
    if status == 400:
        assert answer.json()["code"] == 3


def test_too_many_records_and_too_large_ones_are_refused_whole(api: Api) -> None:
    many = {"resourceLogs": [{"scopeLogs": [{"logRecords": [{}] * 10_001}]}]}
    answer = api.client.post("/v1/logs", json.dumps(many), content_type="application/json")
    assert (answer.status_code, "too_many_records" in answer.json()["message"]) == (413, True)
    bomb = json_format.ParseDict(many, ExportLogsServiceRequest()).SerializeToString()
    assert api.client.post("/v1/logs", bomb, content_type="application/x-protobuf").status_code == 413


def test_a_key_of_one_customer_reports_for_that_one_only(api: Api) -> None:
    from accounts.facade import create_api_key

    api.customer("birch")
    _, secret = create_api_key(organization=api.organization, scopes=["ingest"], customer="birch")
    answer = api.client.post(
        "/v1/logs", json.dumps(CASES["codex"]), content_type="application/json",
        headers={"authorization": f"Bearer {secret}"},
    )  # fmt: skip
    assert "customer_not_allowed" in answer.json()["partialSuccess"]["errorMessage"]
    assert not UsageEvent.objects.exists()
