"""Every dialect of GenAI spans in one versioned table: which attribute means what.

Sources, all in development and free to change names, so a new name is a new line here:
the OpenTelemetry GenAI semantic conventions up to `gen_ai.usage.cache_write.*` and back to `gen_ai.system`
and `gen_ai.usage.prompt_tokens`; OpenInference (`openinference.span.kind`, `llm.*`); OpenLLMetry of Traceloop
(`traceloop.*`, `llm.request.type`, `llm.usage.*`). Attributes that may hold content (prompts, answers, a tool's
arguments and results, status descriptions) stand in no line and are therefore never read.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum

#: Raised whenever a line changes what a span becomes.
ALIASES_VERSION = "3"


class Kind(Enum):
    """What a GenAI span stands for."""

    MODEL = "model"
    AGENT = "agent"
    WORKFLOW = "workflow"
    TOOL = "tool"
    #: A known operation that is no unit of its own, such as retrieval or a chain's link.
    STEP = "step"


#: The attributes that say what a span stands for, the surest first; values in lower case.
KINDS: tuple[tuple[str, Mapping[str, Kind]], ...] = (
    (
        "gen_ai.operation.name",
        {
            "chat": Kind.MODEL,
            "text_completion": Kind.MODEL,
            "generate_content": Kind.MODEL,
            "embeddings": Kind.MODEL,
            "invoke_agent": Kind.AGENT,
            "invoke_workflow": Kind.WORKFLOW,
            "execute_tool": Kind.TOOL,
            "create_agent": Kind.STEP,
            "retrieval": Kind.STEP,
            "plan": Kind.STEP,
            "search_memory": Kind.STEP,
            "create_memory": Kind.STEP,
            "update_memory": Kind.STEP,
            "upsert_memory": Kind.STEP,
            "delete_memory": Kind.STEP,
            "create_memory_store": Kind.STEP,
            "delete_memory_store": Kind.STEP,
        },
    ),
    (
        "openinference.span.kind",
        {
            "llm": Kind.MODEL,
            "embedding": Kind.MODEL,
            "agent": Kind.AGENT,
            # The start of an application, or a link in it: a task only where it is outermost.
            "chain": Kind.WORKFLOW,
            "tool": Kind.TOOL,
            "retriever": Kind.STEP,
            "reranker": Kind.STEP,
            "guardrail": Kind.STEP,
            "evaluator": Kind.STEP,
            "prompt": Kind.STEP,
            "decision": Kind.STEP,
            "unknown": Kind.STEP,
        },
    ),
    (
        "traceloop.span.kind",
        {
            "workflow": Kind.WORKFLOW,
            "agent": Kind.AGENT,
            "tool": Kind.TOOL,
            "task": Kind.STEP,
            "unknown": Kind.STEP,
        },
    ),
    (
        "llm.request.type",
        {
            "chat": Kind.MODEL,
            "completion": Kind.MODEL,
            "embedding": Kind.MODEL,
            "rerank": Kind.STEP,
            "unknown": Kind.STEP,
        },
    ),
)

#: What the kinds of model calls are called in `data.operation`, whatever the dialect.
OPERATIONS: Mapping[str, str] = {
    "llm": "chat",
    "completion": "text_completion",
    "embedding": "embeddings",
}

#: A field of an event and the span attributes it is taken from; the first that is there wins.
TEXTS: Mapping[str, tuple[str, ...]] = {
    "provider": ("gen_ai.provider.name", "gen_ai.system", "llm.provider", "llm.system", "llm.vendor"),
    "model": (
        "gen_ai.response.model",
        "llm.response.model_name",
        "llm.response.model",
        "gen_ai.request.model",
        "llm.model_name",
        "embedding.model_name",
        "llm.request.model_name",
        "llm.request.model",
    ),
    "finish_reason": (
        "gen_ai.response.finish_reasons",
        "gen_ai.response.finish_reason",
        "llm.response.finish_reason",
        "llm.finish_reason",
        "llm.response.stop_reason",
    ),
    "tool": ("gen_ai.tool.name", "tool.name", "traceloop.entity.name"),
    "tool_call_id": ("gen_ai.tool.call.id", "tool.id"),
    "goal": ("taximeter.goal", "gen_ai.workflow.name", "traceloop.workflow.name"),
    "error": ("error.type",),
    "outcome": ("taximeter.outcome",),
    "unit": ("taximeter.unit",),
}

#: Fields that every event has; a span's own attributes come before its resource's.
COMMON: Mapping[str, tuple[str, ...]] = {
    "customer": ("taximeter.customer", "customer.id"),
    "end_user": ("enduser.id",),
    "subscription": ("taximeter.subscription",),
    "agent": ("taximeter.agent", "gen_ai.agent.name", "agent.name", "gen_ai.agent.id"),
    "agent_version": ("taximeter.agent_version", "gen_ai.agent.version"),
    "task_id": ("taximeter.task_id",),
    "turn_id": ("taximeter.turn_id",),
    "conversation_id": (
        "gen_ai.conversation.id",
        "session.id",
        "traceloop.association.properties.session_id",
    ),
    "environment": ("taximeter.environment", "deployment.environment.name", "deployment.environment"),
    "region": ("taximeter.region", "cloud.region"),
}

#: Fields that are taken as they were sent: a key with a space beside it is another key, and never a customer's.
EXACT = frozenset({"customer", "end_user", "subscription"})

#: Who works where no span says so: the service. Only a resource has this.
SERVICE_NAME = "service.name"
#: The entity of a Traceloop span of kind `agent` is the agent, of kind `tool` the tool.
ENTITY_NAME = "traceloop.entity.name"

COUNTS: Mapping[str, tuple[str, ...]] = {
    "input_tokens": (
        "gen_ai.usage.input_tokens",
        "gen_ai.usage.prompt_tokens",
        "llm.token_count.prompt",
        "llm.usage.prompt_tokens",
    ),
    "output_tokens": (
        "gen_ai.usage.output_tokens",
        "gen_ai.usage.completion_tokens",
        "llm.token_count.completion",
        "llm.usage.completion_tokens",
    ),
    "cached_input_tokens": (
        "gen_ai.usage.cache_read.input_tokens",
        "gen_ai.usage.cache_read_input_tokens",
        "gen_ai.usage.details.cache_read_tokens",
        "llm.token_count.prompt_details.cache_read",
        "llm.token_count.prompt_details.cache_input",
        "llm.usage.cache_read_input_tokens",
    ),
    "cache_write_input_tokens": (
        "gen_ai.usage.cache_write.input_tokens",
        "gen_ai.usage.cache_creation.input_tokens",
        "gen_ai.usage.cache_creation_input_tokens",
        "gen_ai.usage.details.cache_write_tokens",
        "llm.token_count.prompt_details.cache_write",
        "llm.usage.cache_creation_input_tokens",
    ),
    "reasoning_tokens": (
        "gen_ai.usage.reasoning.output_tokens",
        "gen_ai.usage.reasoning_tokens",
        "gen_ai.usage.details.reasoning_tokens",
        "llm.token_count.completion_details.reasoning",
        "llm.usage.reasoning_tokens",
    ),
}

#: What a call cost in US dollars, as its caller reports it; the first that is there wins.
COSTS_USD: tuple[str, ...] = (
    "llm.cost.total",
    "gen_ai.usage.cost",
    "gen_ai.usage.cost.total",
    "gen_ai.usage.total_cost",
    "gen_ai.cost.total_cost",
    "operation.cost",
)

#: What the provider calls its answer. It is read to tell calls that were metered already, and not kept.
RESPONSE_ID = "gen_ai.response.id"

#: Names of providers before `gen_ai.provider.name`.
PROVIDERS: Mapping[str, str] = {
    "az.ai.inference": "azure.ai.inference",
    "az.ai.openai": "azure.ai.openai",
    "gemini": "gcp.gemini",
    "vertex_ai": "gcp.vertex_ai",
    "xai": "x_ai",
}

#: Every attribute that a field is taken from, of a span or of its resource. But for `RESPONSE_ID`, no other is read.
READ = frozenset(
    [name for name, _ in KINDS]
    + [name for table in (TEXTS, COMMON, COUNTS) for names in table.values() for name in names]
    + [SERVICE_NAME, ENTITY_NAME, *COSTS_USD, "telemetry.sdk.name", "telemetry.sdk.language", "telemetry.sdk.version"]
)
