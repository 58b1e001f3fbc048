"""The span processor with the real OpenTelemetry SDK, and against what the server's door makes of the same spans."""

from __future__ import annotations

import json
import logging
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import NonRecordingSpan, SpanContext, Status, StatusCode, TraceFlags, set_span_in_context
from taximeter import InMemoryTransport, Meter
from taximeter.integrations import otel_aliases
from taximeter.integrations.opentelemetry import TaximeterSpanProcessor

from metering.domain import otel_aliases as door_aliases
from metering.domain.otel import map_spans
from metering.otlp.decoding import decode_protobuf
from tests.examples import examples
from tests.metering.otlp import AGENT, CHAT, PROTOBUF, TOOL, send
from tests.metering.test_otlp_mapping import MODEL_CALLS
from tests.sdk.openai_server import MESSAGES, SECRETS, completion, openai_server

#: 3 October 2026, 09:12:44.120 UTC, in nanoseconds.
END = 1791018764120000000


class Traced:
    """A tracer whose spans go to the processor, and are kept as an exporter would send them."""

    def __init__(self, *, customer: str | None = None, resource: dict[str, Any] | None = None) -> None:
        self.memory, self.exporter = InMemoryTransport(), InMemorySpanExporter()
        self.meter = Meter(source="desk", transport=self.memory, common={"region": "not of spans"})
        self.processor = TaximeterSpanProcessor(self.meter, customer=customer)
        self.customer = customer
        self.provider = TracerProvider(resource=Resource.create({"service.name": "desk", **(resource or {})}))
        self.provider.add_span_processor(self.processor)
        self.provider.add_span_processor(SimpleSpanProcessor(self.exporter))
        self.tracer = self.provider.get_tracer("test")

    def record(self, tree: Any, parent: Any = None, start: int = END - 10**9) -> None:
        """`tree` is (name, attributes, whether it failed, trees below it)."""
        name, attributes, failed, below = tree
        context = set_span_in_context(parent) if parent is not None else None
        span = self.tracer.start_span(name, context, attributes=attributes, start_time=start)
        for number, one in enumerate(below):
            self.record(one, span, start + number * 1000)
        if failed:
            span.set_status(Status(StatusCode.ERROR, "secret-error"))
        span.end(END)

    def at_door(self) -> list[dict[str, Any]]:
        """What the server's door makes of the same spans, sent in one request."""
        body = encode_spans(self.exporter.get_finished_spans()).SerializeToString()
        return [event for _, event in map_spans(decode_protobuf(body), customer=self.customer).events]


def by_identity(events: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return sorted(json.loads(json.dumps(events)), key=lambda event: (event["id"], event["type"]))


def kinds(traced: Traced) -> list[str]:
    return [event["type"].rpartition(".")[2] for event in traced.memory.events]


def test_the_table_is_the_doors():
    assert otel_aliases.ALIASES_VERSION == door_aliases.ALIASES_VERSION
    for name in ("TEXTS", "COMMON", "COUNTS", "OPERATIONS", "PROVIDERS", "READ", "COSTS_USD", "SERVICE_NAME"):
        assert getattr(otel_aliases, name) == getattr(door_aliases, name), name
    assert otel_aliases.ENTITY_NAME == door_aliases.ENTITY_NAME
    door_kinds = [(name, {word: kind.value for word, kind in words.items()}) for name, words in door_aliases.KINDS]
    assert [(name, dict(words)) for name, words in otel_aliases.KINDS] == door_kinds


@pytest.mark.parametrize("dialect", MODEL_CALLS)
def test_every_dialect_becomes_the_doors_event(dialect):
    traced = Traced(customer="acme")
    traced.record(("chat", MODEL_CALLS[dialect], False, []))
    assert kinds(traced) == ["call"]
    assert by_identity(traced.memory.events) == by_identity(traced.at_door())


def test_an_agents_trace_becomes_the_doors_events():
    traced = Traced(resource={"customer.id": "acme", "deployment.environment.name": "test"})
    traced.record(
        ("POST /tickets", {"http.method": "POST"}, False, [
            ("invoke_agent support", {**AGENT, "taximeter.goal": "resolve"}, False, [
                ("chat gpt", CHAT, False, []),
                ("execute_tool search", TOOL, True, [("chat gpt", CHAT, False, [])]),
                ("invoke_agent clerk", AGENT, False, [("chat gpt", CHAT, True, [])]),
            ]),
        ])
    )  # fmt: skip
    assert kinds(traced) == ["call", "call", "tool_call", "decision", "call", "turn", "task"]
    assert by_identity(traced.memory.events) == by_identity(traced.at_door())
    task = traced.memory.of_type("agent.task")[0]
    assert (task["subject"], task["data"]["goal"], task["time"]) == ("acme", "resolve", "2026-10-03T09:12:44.120000Z")
    assert "secret" not in json.dumps(traced.memory.events)


NAMES = sorted(otel_aliases.READ - {name for name, _ in otel_aliases.KINDS})
WORDS = [(name, word) for name, words in otel_aliases.KINDS for word in [*words, "Unheard"]]
VALUES = st.one_of(
    st.sampled_from(["acme", "stop", "task", "turn", "failed", " gpt ", "", " acme", "7", "x" * 300]),
    st.integers(-2, 10**16),
    st.sampled_from([0.25, 3.0, True]),
    st.sampled_from([("stop", "length"), ()]),
)
ATTRIBUTES = st.builds(
    lambda words, others: dict(words) | others,
    st.lists(st.sampled_from(WORDS), max_size=2),
    st.dictionaries(st.sampled_from(NAMES), VALUES, max_size=5),
)
TREES = st.recursive(
    st.tuples(st.sampled_from(["chat", "invoke_agent a", "execute_tool t"]), ATTRIBUTES, st.booleans(), st.just([])),
    lambda below: st.tuples(st.just("invoke_agent b"), ATTRIBUTES, st.booleans(), st.lists(below, max_size=3)),
    max_leaves=6,
)


@settings(max_examples=examples(30, thorough=500))
@given(TREES, st.sampled_from([None, "zeta"]), st.dictionaries(st.sampled_from(NAMES), VALUES, max_size=2))
def test_whatever_the_spans_the_events_are_the_doors(tree, customer, resource):
    logging.disable(logging.ERROR)
    try:
        traced = Traced(customer=customer, resource=resource)
        traced.record(tree)
    finally:
        logging.disable(logging.NOTSET)
    assert by_identity(traced.memory.events) == by_identity(traced.at_door())


def test_sent_both_ways_a_span_counts_once(api):
    traced = Traced(customer="acme")
    traced.record(("invoke_agent support", AGENT, False, [("chat", CHAT, False, []), ("search", TOOL, False, [])]))
    body = encode_spans(traced.exporter.get_finished_spans()).SerializeToString()
    assert send(api, body, PROTOBUF, **{"x-customer": "acme"}).status_code == 200
    answer = api.post("events", traced.memory.events)
    assert answer.json()["duplicates"] == 4


def test_an_agent_below_another_service_is_no_task_of_its_own():
    traced = Traced(customer="acme")
    context = SpanContext(trace_id=7, span_id=9, is_remote=True, trace_flags=TraceFlags(1))
    traced.record(("invoke_agent support", AGENT, False, []), NonRecordingSpan(context))
    assert kinds(traced) == ["turn"]
    assert by_identity(traced.memory.events) == by_identity(traced.at_door())


def test_in_the_block_of_a_task_spans_are_that_tasks_whichever_way_they_go():
    traced = Traced()
    named = {"customer": "acme", "subscription": "acme-eu"}
    with traced.meter.task("resolve", agent="support@3", task_id="ticket-1", **named) as task:
        with task.turn("ticket-1/first"):
            traced.record(("chat", {**CHAT, "taximeter.agent": "clerk"}, False, []))
        traced.record(("workflow", {"gen_ai.operation.name": "invoke_workflow"}, False, [("a", AGENT, False, [])]))
        task.succeed()
    spans = [event for event in traced.memory.events if event["source"] == "opentelemetry"]
    assert [event["type"] for event in spans] == ["inference.call", "agent.turn"]
    assert {(event["subject"], event["data"]["task_id"]) for event in spans} == {("acme", "ticket-1")}
    assert {event["subscription"] for event in traced.memory.events} == {"acme-eu"}
    assert [event["data"]["agent"] for event in spans] == ["clerk", "support"]
    assert spans[0]["data"]["turn_id"] == "ticket-1/first"
    assert [e for e in by_identity(traced.at_door()) if e["type"] != "agent.task"] == by_identity(spans)


def test_what_cannot_be_counted_is_counted_as_refused_and_disturbs_nobody(caplog):
    traced = Traced(customer="acme")
    traced.record(("chat", {**CHAT, "gen_ai.usage.input_tokens": -1}, False, []))
    traced.record(("x", {"gen_ai.operation.name": "dance"}, False, []))
    traced.record(("GET /", {}, False, []))
    assert traced.memory.events == []
    assert traced.processor.refused == {"tokens_invalid": 1, "operation_unknown": 1}
    broken = TaximeterSpanProcessor(Meter(source="desk", transport=_full), customer="acme")
    traced.provider.add_span_processor(broken)
    traced.record(("chat", CHAT, False, []))
    assert "could not be recorded" in caplog.text
    assert traced.processor._open == {}


def _full(_: Any) -> None:
    raise OSError("no space left")


def test_flushing_the_provider_flushes_the_meter():
    class Slow:
        holds_tasks = False
        waited: list[float | None] = []

        def __call__(self, events: Any) -> None:
            pass

        def flush(self, timeout: float | None) -> bool:
            self.waited.append(timeout)
            return True

    provider = TracerProvider()
    provider.add_span_processor(TaximeterSpanProcessor(Meter(source="desk", transport=Slow())))
    assert provider.force_flush(2000)
    provider.shutdown()
    assert Slow.waited[0] == pytest.approx(2, abs=0.1)
    assert len(Slow.waited) == 2


def test_a_real_instrumentation_of_openai_is_counted_without_its_content():
    import openai
    from opentelemetry.instrumentation.genai.openai import OpenAIInstrumentor

    traced = Traced(customer="acme")
    OpenAIInstrumentor().instrument(tracer_provider=traced.provider)
    try:
        with openai_server() as server:
            server.answers = [completion()]
            client = openai.OpenAI(base_url=f"{server.address}/v1", api_key="k")
            client.chat.completions.create(model="gpt-5-mini", messages=MESSAGES)
    finally:
        OpenAIInstrumentor().uninstrument()
    [call] = traced.memory.events
    assert (call["subject"], call["type"]) == ("acme", "inference.call")
    told = {name: call["data"][name] for name in ("model", "input_tokens", "output_tokens", "provider", "operation")}
    assert told == {
        "model": "gpt-5-mini-2026-01-01", "input_tokens": 410, "output_tokens": 58, "provider": "openai",
        "operation": "chat",
    }  # fmt: skip
    assert not [secret for secret in SECRETS if secret in json.dumps(call)]
