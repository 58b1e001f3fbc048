"""What spans become: every dialect, and the shape of a trace. Plain Python, no database."""

from __future__ import annotations

import json
from typing import Any

import pytest

from metering.domain.otel import map_spans
from metering.otlp.decoding import decode_json
from tests.metering.otlp import TOOL, TRACE, request, span

FAILED = {"status": {"code": 2, "message": "the secret prompt was refused"}}


def mapped(*spans: dict[str, Any], resource: dict[str, Any] | None = None, customer: str | None = None) -> Any:
    return map_spans(decode_json(json.dumps(request(*spans, resource=resource)).encode()), customer=customer)


def events_of(*spans: dict[str, Any], resource: dict[str, Any] | None = None) -> list[dict[str, Any]]:
    return [event for _, event in mapped(*spans, resource=resource).events]


def types_of(*spans: dict[str, Any]) -> list[tuple[str, str]]:
    return [(event["type"], event["id"].removeprefix(f"{TRACE}/")) for event in events_of(*spans)]


MODEL_CALLS = {
    "current conventions": {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "openai",
        "gen_ai.request.model": "gpt-4o",
        "gen_ai.response.model": "gpt-4o-2024-08-06",
        "gen_ai.response.finish_reasons": ["stop", "length"],
        "gen_ai.usage.input_tokens": 410,
        "gen_ai.usage.output_tokens": 58,
        "gen_ai.usage.cache_read.input_tokens": 128,
        "gen_ai.usage.cache_write.input_tokens": 16,
        "gen_ai.usage.reasoning.output_tokens": 20,
    },
    "before the cache was written": {
        "gen_ai.operation.name": "chat",
        "gen_ai.system": "openai",
        "gen_ai.response.model": "gpt-4o-2024-08-06",
        "gen_ai.response.finish_reasons": ["stop"],
        "gen_ai.usage.input_tokens": 410,
        "gen_ai.usage.output_tokens": 58,
        "gen_ai.usage.cache_read.input_tokens": 128,
        "gen_ai.usage.cache_creation.input_tokens": 16,
        "gen_ai.usage.reasoning.output_tokens": 20,
    },
    "the first conventions": {
        "gen_ai.system": "openai",
        "gen_ai.request.model": "gpt-4o-2024-08-06",
        "gen_ai.response.finish_reasons": ["stop"],
        "gen_ai.usage.prompt_tokens": 410,
        "gen_ai.usage.completion_tokens": 58,
        "gen_ai.usage.cache_read_input_tokens": 128,
        "gen_ai.usage.cache_creation_input_tokens": 16,
        "gen_ai.usage.reasoning_tokens": 20,
    },
    "OpenInference": {
        "openinference.span.kind": "LLM",
        "llm.provider": "openai",
        "llm.system": "azure",
        "llm.model_name": "gpt-4o-2024-08-06",
        "llm.finish_reason": "stop",
        "llm.token_count.prompt": 410,
        "llm.token_count.completion": 58,
        "llm.token_count.total": 468,
        "llm.token_count.prompt_details.cache_read": 128,
        "llm.token_count.prompt_details.cache_write": 16,
        "llm.token_count.completion_details.reasoning": 20,
    },
    "OpenLLMetry": {
        "llm.request.type": "chat",
        "gen_ai.system": "OpenAI",
        "gen_ai.request.model": "gpt-4o",
        "gen_ai.response.model": "gpt-4o-2024-08-06",
        "llm.response.finish_reason": "stop",
        "gen_ai.usage.prompt_tokens": 410,
        "gen_ai.usage.completion_tokens": 58,
        "llm.usage.total_tokens": 468,
        "gen_ai.usage.cache_read_input_tokens": 128,
        "gen_ai.usage.cache_creation_input_tokens": 16,
        "gen_ai.usage.reasoning_tokens": 20,
        "traceloop.workflow.name": "refunds",
    },
    "OpenLLMetry before gen_ai": {
        "llm.request.type": "chat",
        "llm.vendor": "OpenAI",
        "llm.request.model": "gpt-4o",
        "llm.response.model": "gpt-4o-2024-08-06",
        "llm.response.finish_reason": "stop",
        "llm.usage.prompt_tokens": 410,
        "llm.usage.completion_tokens": 58,
        "llm.usage.cache_read_input_tokens": 128,
        "llm.usage.cache_creation_input_tokens": 16,
        "llm.usage.reasoning_tokens": 20,
    },
}


@pytest.mark.parametrize("dialect", MODEL_CALLS)
def test_a_model_call_is_the_same_event_in_every_dialect(dialect: str) -> None:
    [event] = events_of(span("c1", MODEL_CALLS[dialect], parent="a1"))
    assert event == {
        "specversion": "1.0",
        "id": f"{TRACE}/c100000000000000",
        "source": "opentelemetry",
        "type": "inference.call",
        "time": "2026-10-03T09:12:44.120000Z",
        "subject": "acme",
        "data": {
            "task_id": TRACE,
            "parent_id": f"{TRACE}/a100000000000000",
            "trace_id": TRACE,
            "span_id": "c100000000000000",
            "started_at": "2026-10-03T09:12:42.620000Z",
            "duration_ms": 1500,
            "operation": "chat",
            "provider": "openai",
            "model": "gpt-4o-2024-08-06",
            "input_tokens": 410,
            "output_tokens": 58,
            "cached_input_tokens": 128,
            "cache_write_input_tokens": 16,
            "reasoning_tokens": 20,
            "finish_reason": "stop",
        },
    }


@pytest.mark.parametrize(
    ("values", "operation"),
    [
        ({"gen_ai.operation.name": "text_completion"}, "text_completion"),
        ({"gen_ai.operation.name": "generate_content"}, "generate_content"),
        ({"gen_ai.operation.name": "embeddings"}, "embeddings"),
        ({"openinference.span.kind": "EMBEDDING"}, "embeddings"),
        ({"llm.request.type": "completion"}, "text_completion"),
        ({"llm.request.type": "embedding"}, "embeddings"),
    ],
)
def test_every_kind_of_request_to_a_model_is_an_inference_call(values: dict[str, Any], operation: str) -> None:
    [event] = events_of(span("c1", values))
    assert (event["type"], event["data"]["operation"]) == ("inference.call", operation)


@pytest.mark.parametrize(
    ("given", "kept"),
    [("vertex_ai", "gcp.vertex_ai"), ("az.ai.openai", "azure.ai.openai"), ("Anthropic", "anthropic")],
)
def test_older_names_of_providers_become_the_present_ones(given: str, kept: str) -> None:
    [event] = events_of(span("c1", {"gen_ai.operation.name": "chat", "gen_ai.system": given}))
    assert event["data"]["provider"] == kept


AGENTS = {
    "conventions": ({"gen_ai.operation.name": "invoke_agent", "gen_ai.agent.name": "support"}, "a span"),
    "conventions, by name": ({"gen_ai.operation.name": "invoke_agent"}, "invoke_agent support"),
    "OpenInference": ({"openinference.span.kind": "AGENT", "agent.name": "support"}, "run"),
    "OpenLLMetry": ({"traceloop.span.kind": "agent", "traceloop.entity.name": "support"}, "support.agent"),
}


@pytest.mark.parametrize("dialect", AGENTS)
def test_an_outermost_agent_is_a_task_and_one_within_it_a_turn(dialect: str) -> None:
    values, name = AGENTS[dialect]
    task, turn = events_of(span("a1", values, name=name), span("a2", values, name=name, parent="a1"))
    assert (task["type"], task["data"]["outcome"], task["data"]["agent"]) == ("agent.task", "succeeded", "support")
    assert (turn["type"], turn["data"]["initiator"], turn["data"]["agent"]) == ("agent.turn", "agent", "support")
    assert turn["data"]["turn_id"] == turn["id"] == f"{TRACE}/a200000000000000"
    assert (task["data"]["task_id"], turn["data"]["task_id"]) == (TRACE, TRACE)


WORKFLOWS = {
    "conventions": {"gen_ai.operation.name": "invoke_workflow", "gen_ai.workflow.name": "refunds"},
    "OpenInference": {"openinference.span.kind": "CHAIN"},
    "OpenLLMetry": {"traceloop.span.kind": "workflow", "traceloop.workflow.name": "refunds"},
}


@pytest.mark.parametrize("dialect", WORKFLOWS)
def test_an_outermost_workflow_is_a_task_and_one_within_it_is_only_counted(dialect: str) -> None:
    found = mapped(span("d1", WORKFLOWS[dialect]), span("d2", WORKFLOWS[dialect], parent="d1"))
    [(index, event)] = found.events
    assert (index, event["type"]) == (0, "agent.task")
    assert event["data"].get("goal") == (None if dialect == "OpenInference" else "refunds")
    assert found.ignored == {"no_unit": 1}


TOOLS = {
    "conventions": ({"gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": "search"}, "a span"),
    "conventions, by name": ({"gen_ai.operation.name": "execute_tool"}, "execute_tool search"),
    "OpenInference": ({"openinference.span.kind": "TOOL", "tool.name": "search"}, "run"),
    "OpenLLMetry": ({"traceloop.span.kind": "tool", "traceloop.entity.name": "search"}, "search.tool"),
}


@pytest.mark.parametrize("dialect", TOOLS)
def test_a_tool_is_a_call_and_the_decision_to_make_it(dialect: str) -> None:
    values, name = TOOLS[dialect]
    call, decision = events_of(span("b1", values | {"gen_ai.tool.call.arguments": "secret"}, name=name))
    assert (call["type"], call["id"], call["data"]["tool"]) == (
        "agent.tool_call",
        f"{TRACE}/b100000000000000",
        "search",
    )
    assert (decision["type"], decision["id"]) == ("agent.decision", f"{TRACE}/b100000000000000/decision")
    assert (decision["data"]["kind"], decision["data"]["choice"]) == ("tool", "search")
    assert call["data"]["decision_id"] == decision["data"]["decision_id"] == decision["id"]
    assert "secret" not in json.dumps([call, decision])


AGENT = {"gen_ai.operation.name": "invoke_agent", "gen_ai.agent.name": "support"}


def test_a_failed_span_is_recorded_with_the_class_of_its_error_and_no_description() -> None:
    events = events_of(
        span("a1", AGENT, **FAILED),
        span(
            "b1", {"gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": "s", "error.type": "timeout"}, **FAILED
        ),
        span("c1", {"gen_ai.operation.name": "chat"}, **FAILED),
    )
    task, tool, _, call = events
    assert (task["data"]["outcome"], task["data"]["error"]) == ("failed", "error")
    assert tool["data"]["error"] == "timeout"
    assert (call["data"]["finish_reason"], call["data"]["error"]) == ("error", "error")
    assert "secret" not in json.dumps(events)


def test_a_sender_may_say_outcome_unit_task_and_goal() -> None:
    [event] = events_of(
        span(
            "a1",
            AGENT | {"taximeter.outcome": "escalated", "taximeter.unit": "task", "taximeter.task_id": "T-1"},
            parent="ff",
        )
    )
    assert (event["type"], event["data"]["outcome"], event["data"]["task_id"]) == ("agent.task", "escalated", "T-1")


def test_an_agent_below_plain_spans_only_is_outermost() -> None:
    http = {"http.request.method": "POST"}
    assert types_of(
        span("a1", AGENT, parent="f2"), span("f2", http, parent="f1"), span("f1", http), span("a2", AGENT, parent="a1")
    ) == [("agent.task", "a100000000000000"), ("agent.turn", "a200000000000000")]


def test_an_agent_whose_parent_is_elsewhere_is_within_another() -> None:
    assert types_of(span("a1", AGENT, parent="f1")) == [("agent.turn", "a100000000000000")]


def test_an_agent_that_a_tool_calls_is_within_another() -> None:
    tool = {"gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": "ask"}
    assert ("agent.turn", "a200000000000000") in types_of(span("b1", tool), span("a2", AGENT, parent="b1"))


def test_parents_that_go_round_in_a_circle_end_nowhere() -> None:
    assert types_of(span("f1", {}, parent="f2"), span("f2", {}, parent="f1"), span("a1", AGENT, parent="f1")) == [
        ("agent.turn", "a100000000000000")
    ]


def test_an_outermost_agent_that_had_the_models_answer_itself_is_a_turn_too() -> None:
    answered = AGENT | {"gen_ai.usage.input_tokens": 400, "gen_ai.usage.output_tokens": 20}
    assert types_of(span("a1", answered)) == [
        ("agent.task", "a100000000000000"),
        ("agent.turn", "a100000000000000/turn"),
    ]


def test_an_agent_within_a_task_that_failed_is_a_turn_only_if_a_model_answered() -> None:
    answered = AGENT | {"gen_ai.usage.output_tokens": 20}
    found = mapped(span("a1", AGENT, parent="ff", **FAILED), span("a2", answered, parent="ff", **FAILED))
    [(index, event)] = found.events
    assert (index, event["type"], event["data"]["error"]) == (1, "agent.turn", "error")
    assert found.ignored == {"unanswered": 1}


def test_tokens_of_an_agents_span_are_not_counted_again() -> None:
    events = events_of(span("a1", AGENT | {"gen_ai.usage.output_tokens": 20}))
    assert all("output_tokens" not in event["data"] for event in events)


def test_common_fields_come_from_the_span_and_then_from_its_resource() -> None:
    resource = {
        "customer.id": "globex",
        "service.name": "desk",
        "deployment.environment.name": "test",
        "cloud.region": "eu-1",
        "telemetry.sdk.name": "opentelemetry",
        "telemetry.sdk.language": "go",
        "telemetry.sdk.version": "1.40.0",
    }
    call = {"gen_ai.operation.name": "chat"}
    first, second = events_of(
        span("c1", call | {"session.id": "s-1"}),
        span("c2", call | {"taximeter.customer": "acme", "gen_ai.agent.name": "support", "gen_ai.agent.version": "3"}),
        resource=resource,
    )
    assert first["subject"] == "globex"
    assert {name: first["data"][name] for name in ("agent", "environment", "region", "sdk", "conversation_id")} == {
        "agent": "desk",
        "environment": "test",
        "region": "eu-1",
        "sdk": "opentelemetry-go/1.40.0",
        "conversation_id": "s-1",
    }
    assert (second["subject"], second["data"]["agent"], second["data"]["agent_version"]) == ("acme", "support", "3")


@pytest.mark.parametrize(
    ("own", "resource", "header", "customer"),
    [
        ({"taximeter.customer": "a", "customer.id": "b"}, {"customer.id": "c"}, "d", "a"),
        ({"customer.id": "b"}, {"taximeter.customer": "c"}, "d", "b"),
        ({"enduser.id": "e"}, {"customer.id": "c"}, "d", "c"),
        ({"enduser.id": "e"}, {}, "d", "d"),
        ({"enduser.id": "e"}, {}, None, "e"),
        ({"user.id": "u"}, {}, None, None),
    ],
)
def test_the_customer_is_taken_from_the_nearest_that_names_one(
    own: dict[str, str], resource: dict[str, str], header: str | None, customer: str | None
) -> None:
    found = mapped(span("c1", {"gen_ai.operation.name": "chat"} | own), resource=resource, customer=header)
    [(_, event)] = found.events
    assert event.get("subject") == customer
    assert found.warnings["customer_missing"] == (customer is None)


def test_a_span_or_its_resource_names_the_subscription_that_is_to_charge_it() -> None:
    spans = [span("c1", CHAT), span("c2", CHAT | {"taximeter.subscription": "acme-us"}), span("a1", TOOL)]
    found = mapped(*spans, resource={"customer.id": "acme", "taximeter.subscription": "acme-eu"})
    named = [(event["type"], event["subscription"]) for _, event in found.events]
    assert named == [
        ("inference.call", "acme-eu"),
        ("inference.call", "acme-us"),
        ("agent.tool_call", "acme-eu"),
        ("agent.decision", "acme-eu"),
    ]
    [(_, event)] = mapped(span("c1", CHAT)).events
    assert "subscription" not in event


def test_a_customer_is_taken_as_it_was_sent_and_blanks_name_none() -> None:
    [(_, event)] = mapped(span("c1", CHAT | {"taximeter.customer": " acme"}), resource={}).events
    assert event["subject"] == " acme"
    [(_, event)] = mapped(span("c1", CHAT | {"taximeter.customer": " "}), resource={"customer.id": "acme"}).events
    assert event["subject"] == "acme"


def test_a_cost_is_kept_exactly_as_it_was_written() -> None:
    [event] = events_of(span("c1", {"openinference.span.kind": "LLM", "llm.cost.total": 0.000021}))
    assert (event["data"]["cost"], event["data"]["cost_currency"]) == ("0.000021", "USD")


def test_numbers_may_come_as_text_and_doubles() -> None:
    [event] = events_of(
        span(
            "c1", {"gen_ai.operation.name": "chat", "gen_ai.usage.input_tokens": "7", "gen_ai.usage.output_tokens": 3.0}
        )
    )
    assert (event["data"]["input_tokens"], event["data"]["output_tokens"]) == (7, 3)


CHAT = {"gen_ai.operation.name": "chat"}


@pytest.mark.parametrize(
    ("broken", "code"),
    [
        (span("c1", CHAT | {"gen_ai.usage.input_tokens": -1}), "tokens_invalid"),
        (span("c1", CHAT | {"gen_ai.usage.input_tokens": 1.5}), "tokens_invalid"),
        (span("c1", CHAT | {"gen_ai.usage.input_tokens": True}), "tokens_invalid"),
        (span("c1", CHAT | {"gen_ai.usage.output_tokens": "many"}), "tokens_invalid"),
        (span("c1", CHAT | {"llm.cost.total": -0.1}), "cost_invalid"),
        (span("c1", CHAT | {"gen_ai.request.model": "m" * 256}), "attribute_too_long"),
        (span("c1", CHAT, traceId="0" * 32), "id_invalid"),
        (span("c1", CHAT, traceId="nothex"), "id_invalid"),
        (span("c1", CHAT, spanId=""), "id_invalid"),
        (span("c1", CHAT, parentSpanId="abc"), "id_invalid"),
        (span("c1", CHAT, endTimeUnixNano="0"), "time_missing"),
        (span("c1", AGENT | {"taximeter.outcome": "great"}), "outcome_invalid"),
        (span("c1", AGENT | {"taximeter.unit": "thing"}), "unit_invalid"),
        (span("b1", {"gen_ai.operation.name": "execute_tool"}, name=""), "tool_missing"),
    ],
)
def test_a_genai_span_that_is_broken_is_refused_and_its_neighbours_are_not(broken: dict[str, Any], code: str) -> None:
    found = mapped(span("c8", CHAT), broken, span("c9", CHAT))
    assert [(refusal.index, refusal.code) for refusal in found.refused] == [(1, code)]
    assert [index for index, _ in found.events] == [0, 2]


CALL = CHAT | {"gen_ai.request.model": "claude-x"}


@pytest.mark.parametrize(
    ("given", "counted"),
    [("7", 7), ("12.0", 12), ("1e3", 1000), ("1.5E+3", 1500), (3.0, 3), ("1.5", None), ("1e99", None), ("٣", None)],
)
def test_counts_may_be_texts_with_a_point_or_an_exponent_that_are_whole(given: Any, counted: int | None) -> None:
    found = mapped(span("c1", CALL | {"gen_ai.usage.input_tokens": given}))
    if counted is None:
        assert [refusal.code for refusal in found.refused] == ["tokens_invalid"]
    else:
        assert found.events[0][1]["data"]["input_tokens"] == counted


@pytest.mark.parametrize(
    ("given", "reason"),
    [('["stop"]', "stop"), ('["length", "stop"]', "length"), ("[]", "[]"), ("[stop", "[stop"), ("stop", "stop")],
)
def test_a_finish_reason_may_be_a_list_written_as_text(given: str, reason: str) -> None:
    [event] = events_of(span("c1", CALL | {"gen_ai.response.finish_reasons": given}))
    assert event["data"]["finish_reason"] == reason


@pytest.mark.parametrize(
    "name",
    ["llm.cost.total", "gen_ai.usage.cost", "gen_ai.usage.cost.total", "gen_ai.cost.total_cost", "operation.cost"],
)
def test_a_cost_that_the_caller_reports_stands_whatever_it_is_called(name: str) -> None:
    [event] = events_of(span("c1", CALL | {name: 0.0027288}))
    assert (event["data"]["cost"], event["data"]["cost_currency"]) == ("0.0027288", "USD")


def test_input_tokens_without_the_cached_ones_are_added_up_and_it_is_told() -> None:
    tokens = {"gen_ai.usage.cache_read.input_tokens": 1886, "gen_ai.usage.cache_creation.input_tokens": 188}
    found = mapped(
        span("c1", CALL | tokens | {"gen_ai.usage.input_tokens": 21, "gen_ai.usage.output_tokens": 93}),
        span("c2", CALL | tokens | {"gen_ai.usage.input_tokens": 2095, "gen_ai.usage.output_tokens": 93}),
        span("c3", CALL | tokens | {"gen_ai.usage.output_tokens": 93}),
    )
    assert [event["data"].get("input_tokens") for _, event in found.events] == [2095, 2095, None]
    assert found.warnings["tokens_exclusive"] == 1


def test_details_of_usage_are_read_under_the_names_that_logfire_gives_them() -> None:
    details = {"reasoning_tokens": 200, "cache_read_tokens": 600, "cache_write_tokens": 16}
    usage = {f"gen_ai.usage.details.{name}": count for name, count in details.items()}
    [event] = events_of(span("c1", CALL | usage | {"gen_ai.usage.input_tokens": 1000}))
    assert event["data"] | {
        "reasoning_tokens": 200, "cached_input_tokens": 600, "cache_write_input_tokens": 16, "input_tokens": 1000,
    } == event["data"]  # fmt: skip


def test_an_unknown_operation_with_model_and_tokens_is_a_call_and_another_is_a_notice() -> None:
    loop = {"gen_ai.operation.name": "execute_event_loop_cycle"}
    found = mapped(
        span("c1", loop | {"gen_ai.request.model": "claude-x", "gen_ai.usage.output_tokens": 93}),
        span("c2", loop | {"gen_ai.request.model": "claude-x"}),
        span("c3", loop),
    )
    assert [(event["type"], event["data"]["operation"]) for _, event in found.events] == [("inference.call", "chat")]
    assert (found.ignored["operation_unknown"], found.refused) == (2, [])


def test_what_is_no_genai_operation_is_only_counted() -> None:
    found = mapped(
        span("f1", {"http.request.method": "GET"}),
        span("f2", {"db.system.name": "postgresql", "gen_ai.conversation.id": "c", "traceloop.workflow.name": "w"}),
        span("f3", {"openinference.span.kind": "RETRIEVER"}),
        span("f4", {"gen_ai.operation.name": "plan"}),
    )
    assert (found.events, found.refused, found.ignored) == ([], [], {"not_genai": 2, "no_unit": 2})
