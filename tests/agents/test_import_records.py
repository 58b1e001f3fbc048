"""Logs and exports of others become the same events, once, whatever their layout; broken ones are named by line."""

from __future__ import annotations

import contextlib
import gzip
import json
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agents.importers.formats.reading import Context
from agents.importers.records import MAPPERS, import_records
from agents.importers.report import ImportReport, LineBroken
from agents.services.projection import advance_task_summaries
from metering.facade import EventQuestion, list_events
from tests.api import Api, make_api
from tests.examples import examples

OPENAI = {
    "id": "chatcmpl-1", "object": "chat.completion", "created": 1790937165, "model": "gpt-4o-2024-08-06",
    "metadata": {"task_id": "ticket-1", "customer": "acme", "agent": "support@3"},
    "choices": [{"index": 0, "finish_reason": "tool_calls", "message": {"role": "assistant", "content": "SECRET",
        "tool_calls": [{"id": "c1", "type": "function", "function": {"name": "refund", "arguments": "SECRET"}}]}}],
    "usage": {"prompt_tokens": 100, "completion_tokens": 20, "total_tokens": 120,
              "prompt_tokens_details": {"cached_tokens": 64}, "completion_tokens_details": {"reasoning_tokens": 4}},
}  # fmt: skip
ANTHROPIC = {
    "created_at": "2026-10-02T10:32:45Z", "metadata": {"task_id": "ticket-2"},
    "response": {"id": "msg_1", "type": "message", "role": "assistant", "model": "claude-sonnet-4-6",
        "stop_reason": "tool_use",
        "content": [{"type": "text", "text": "SECRET"}, {"type": "tool_use", "id": "t", "name": "search", "input": {}}],
        "usage": {"input_tokens": 10, "cache_read_input_tokens": 50, "cache_creation_input_tokens": 40,
                  "output_tokens": 7}},
}  # fmt: skip
LANGSMITH = [
    {"id": "r1", "trace_id": "r1", "parent_run_id": None, "run_type": "chain", "name": "support", "status": "success",
     "start_time": "2026-10-02T10:00:00", "end_time": "2026-10-02T10:00:09", "inputs": {"q": "SECRET"},
     "extra": {"metadata": {"customer": "acme", "agent": "support"}}},
    {"id": "r2", "trace_id": "r1", "parent_run_id": "r1", "run_type": "llm", "name": "ChatOpenAI", "error": None,
     "start_time": "2026-10-02T10:00:01", "end_time": "2026-10-02T10:00:04.500", "prompt_tokens": 30,
     "completion_tokens": 5, "total_cost": "0.002", "outputs": {"generations": "SECRET"},
     "extra": {"metadata": {"ls_provider": "openai", "ls_model_name": "gpt-4o", "customer": "acme"}}},
    {"id": "r3", "trace_id": "r1", "parent_run_id": "r1", "run_type": "tool", "name": "search", "error": "boom: SECRET",
     "start_time": "2026-10-02T10:00:05", "end_time": "2026-10-02T10:00:06",
     "extra": {"metadata": {"customer": "acme"}}},
    {"id": "r4", "trace_id": "r1", "parent_run_id": "r1", "run_type": "prompt", "name": "template",
     "start_time": "2026-10-02T10:00:00", "end_time": "2026-10-02T10:00:01"},
]  # fmt: skip
LANGFUSE = [
    {"id": "tr1", "name": "support", "timestamp": "2026-10-02T10:00:00Z", "userId": "acme", "sessionId": "s",
     "latency": 4.5, "scores": [{"name": "success", "value": 1}], "input": "SECRET", "observations": [
        {"id": "o1", "type": "GENERATION", "name": "answer", "startTime": "2026-10-02T10:00:01Z",
         "endTime": "2026-10-02T10:00:03Z", "model": "gpt-4o", "usageDetails": {"input": 30, "output": 5},
         "costDetails": {"total": 0.002}, "output": "SECRET"}]},
    {"id": "o2", "trace_id": "tr1", "type": "TOOL", "name": "search", "start_time": "2026-10-02T10:00:03Z",
     "end_time": "2026-10-02T10:00:04Z", "level": "ERROR", "status_message": "SECRET"},
    {"id": "o3", "trace_id": "tr1", "type": "SPAN", "name": "step", "start_time": "2026-10-02T10:00:03Z"},
]  # fmt: skip


def _attribute(key: str, value: str | int) -> dict[str, Any]:
    return {"key": key, "value": {"intValue": str(value)} if isinstance(value, int) else {"stringValue": value}}


def _span(span_id: str, parent: str, name: str, **attributes: str | int) -> dict[str, Any]:
    return {
        "traceId": "0af7651916cd43dd8448eb211c80319c", "spanId": span_id, "parentSpanId": parent, "name": name,
        "startTimeUnixNano": "1790937165000000000", "endTimeUnixNano": "1790937166000000000",
        "attributes": [_attribute(key.replace("__", "."), value) for key, value in attributes.items()],
    }  # fmt: skip


_RESOURCE = {"attributes": [_attribute("service.name", "support")]}
OTLP = {"resourceSpans": [{"resource": _RESOURCE, "scopeSpans": [{"spans": [
    _span("00f067aa0ba902b1", "", "invoke_agent support", gen_ai__operation__name="invoke_agent", customer__id="acme"),
    _span("00f067aa0ba902b2", "00f067aa0ba902b1", "chat gpt-4o", gen_ai__operation__name="chat", customer__id="acme",
          gen_ai__request__model="gpt-4o", gen_ai__usage__input_tokens=30, gen_ai__usage__output_tokens=5),
]}]}]}  # fmt: skip

FILES: dict[str, list[Any]] = {
    "openai": [OPENAI], "anthropic": [ANTHROPIC], "langsmith": LANGSMITH, "langfuse": LANGFUSE, "otlp": [OTLP],
}  # fmt: skip


@pytest.fixture
def api(transactional_db: None) -> Api:
    api = make_api("Vendor")
    api.customer("acme")
    return api


def write(path: Path, records: list[Any], layout: str = "lines") -> Path:
    text = {
        "lines": "\n".join(json.dumps(one) for one in records) + "\n",
        "array": json.dumps(records, indent=2),
        "one line": json.dumps(records),
        "one after the other": "\n".join(json.dumps(one, indent=1) for one in records),
    }[layout]
    path.write_text(text)
    return path


def bring_in(api: Api, path: Path, format: str, **options: Any) -> ImportReport:
    return import_records(path, organization=api.organization, format=format, **options)


def stored(api: Api) -> dict[str, dict[str, Any]]:
    events, _ = list_events(EventQuestion(organization_id=api.organization.pk), limit=100)
    return {
        event.id: {"type": event.type, "customer": event.customer, "time": event.time, **event.data} for event in events
    }


@pytest.mark.parametrize("format", FILES)
@pytest.mark.parametrize("layout", ["lines", "array", "one line", "one after the other"])
def test_a_file_gives_the_same_events_in_every_layout_and_none_when_it_is_imported_again(api, tmp_path, format, layout):
    bring_in(api, write(tmp_path / "a", FILES[format]), format)
    before = stored(api)
    again = bring_in(api, write(tmp_path / "b", FILES[format], layout), format)
    assert (again.accepted, again.rejected, again.duplicates) == (0, 0, len(before))
    assert stored(api) == before
    assert "SECRET" not in str(before)


def test_openai_logs_become_calls_turns_and_decisions(api, tmp_path):
    report = bring_in(api, write(tmp_path / "a", FILES["openai"]), "openai")
    assert (report.accepted, report.turns, report.decisions, report.warnings) == (3, 1, 1, [])
    found = stored(api)
    call, decision = found["chatcmpl-1"], found["chatcmpl-1/decision-1"]
    assert (call["type"], call["customer"], call["agent"], call["agent_version"]) == (
        "inference.call",
        "acme",
        "support",
        "3",
    )
    assert (call["provider"], call["model"], call["task_id"]) == ("openai", "gpt-4o-2024-08-06", "ticket-1")
    assert (call["input_tokens"], call["cached_input_tokens"], call["output_tokens"], call["reasoning_tokens"]) == (
        100,
        64,
        20,
        4,
    )
    assert (decision["choice"], decision["turn_id"]) == ("refund", found["chatcmpl-1/turn"]["turn_id"])
    assert f"{call['time']:%Y-%m-%d %H:%M:%S}" == "2026-10-02 10:32:45"


def test_anthropic_answers_count_all_their_input_tokens(api, tmp_path):
    bring_in(api, write(tmp_path / "a", FILES["anthropic"]), "anthropic", customer="acme", agent="support")
    call = stored(api)["msg_1"]
    assert (call["input_tokens"], call["cached_input_tokens"], call["cache_write_input_tokens"]) == (100, 50, 40)
    assert (call["provider"], call["output_tokens"], call["customer"]) == ("anthropic", 7, "acme")
    assert stored(api)["msg_1/decision-1"]["choice"] == "search"


@pytest.mark.parametrize("format", ["langsmith", "langfuse"])
def test_exported_runs_become_task_trees(api, tmp_path, format):
    report = bring_in(
        api, write(tmp_path / "a", FILES[format]), format, customer=None if format == "langsmith" else "acme"
    )
    assert (report.tasks, report.succeeded, report.turns, report.decisions, report.ignored) == (1, 1, 1, 1, 1)
    advance_task_summaries()
    [task] = api.get("tasks").json()["data"]
    assert (task["customer"], task["outcome"], task["turns"], task["decisions"], task["tool_calls"]) == (
        "acme",
        "succeeded",
        1,
        1,
        1,
    )
    assert (task["input_tokens"], task["output_tokens"], task["cost"]["amount"]) == ("30", "5", "0.002")
    tree = api.get(f"tasks/{task['id']}").json()["tree"]
    assert {node["type"] for node in tree} == {"turn", "decision"}
    assert [node["children"][0]["tool"] for node in tree if node["type"] == "decision"] == ["search"]


def test_an_otlp_file_gives_what_the_door_would(api, tmp_path):
    report = bring_in(api, write(tmp_path / "a", FILES["otlp"]), "otlp")
    assert (report.tasks, report.accepted, report.rejected) == (1, 2, 0)
    posted = api.client.post("/v1/traces", data=json.dumps(OTLP), content_type="application/json")
    assert posted.status_code == 200
    assert len(stored(api)) == 2


def test_broken_lines_are_named_with_the_reason_and_cost_themselves_alone(api, tmp_path):
    bad = OPENAI | {"id": "chatcmpl-2", "usage": {"prompt_tokens": -1}}
    failed = {"response": {"status_code": 500}, "error": {"message": "overloaded"}}
    lines = [
        json.dumps(OPENAI),
        "{not json",
        "",
        json.dumps(bad),
        "[1]",
        json.dumps(failed),
        json.dumps({"object": "list"}),
    ]
    path = tmp_path / "a.jsonl.gz"
    path.write_bytes(gzip.compress("\n".join(lines).encode()))
    report = bring_in(api, path, "openai")
    assert [(one.line, one.code) for one in report.problems] == [
        (2, "malformed_json"), (4, "tokens_invalid"), (5, "line_broken"), (7, "response_unknown"),
    ]  # fmt: skip
    assert (report.accepted, report.ignored, report.lines) == (3, 1, 6)


def test_in_an_array_a_broken_record_is_named_by_the_line_it_begins_on(api, tmp_path):
    path = tmp_path / "a.json"
    path.write_text(
        '[\n{"id": "x",\n "run_type": 5},\n' + json.dumps(LANGSMITH[1], indent=1) + ',\n{"id": "y", "run_type": "llm'
    )
    report = bring_in(api, path, "langsmith")
    assert [(one.line, one.code) for one in report.problems] == [(2, "time_missing"), (27, "malformed_json")]
    assert report.accepted == 2


def test_a_strict_import_writes_nothing_if_anything_is_broken(api, tmp_path):
    path = tmp_path / "a"
    path.write_text(json.dumps(OPENAI) + "\n{broken\n")
    report = bring_in(api, path, "openai", strict=True)
    assert (report.rejected, stored(api)) == (1, {})


def test_the_same_record_for_another_customer_is_a_conflict(api, tmp_path):
    path = write(tmp_path / "a", FILES["anthropic"])
    bring_in(api, path, "anthropic", customer="acme")
    report = bring_in(api, path, "anthropic", customer="zen")
    assert (report.accepted, [one.code for one in report.problems]) == (0, ["id_conflict"])


def test_the_command_says_what_it_did_and_what_is_missing(api, tmp_path, capsys):
    path = write(tmp_path / "a", [ANTHROPIC | {"created_at": None}])
    with pytest.raises(CommandError, match="1 line"):
        call_command("import_runs", str(path), format="anthropic", organization=api.organization.key)
    assert "line 1: no time" in capsys.readouterr().err
    options = ["--format", "anthropic", "--organization", api.organization.key, "--start", "2026-10-01T00:00:00Z"]
    call_command("import_runs", str(path), *options)
    captured = capsys.readouterr()
    assert "events: 3 accepted, 0 duplicates" in captured.out
    assert "3 events name no customer" in captured.err
    with pytest.raises(CommandError, match="--customer"):
        call_command("import_runs", str(path), "--organization", api.organization.key)


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8) | st.floats(allow_nan=False).map(str),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


@given(st.data())
@settings(max_examples=examples(30, thorough=500), suppress_health_check=[HealthCheck.too_slow])
def test_whatever_a_record_holds_it_becomes_events_or_is_refused(data):
    format = data.draw(st.sampled_from(sorted(MAPPERS)))
    record = json.loads(json.dumps(data.draw(st.sampled_from(FILES[format]))))
    for _ in range(data.draw(st.integers(1, 4))):
        place = record
        while isinstance(place, dict) and place:
            key = data.draw(st.sampled_from(sorted(place)))
            if not isinstance(place[key], dict) or data.draw(st.booleans()):
                place[key] = data.draw(anything)
                break
            place = place[key]
    with contextlib.suppress(LineBroken):
        events = MAPPERS[format](record, Context(customer="acme"))
        assert all(isinstance(event["id"], str) and event["data"] is not None for event in events)
