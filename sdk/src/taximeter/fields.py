"""The fields of each kind of activity, checked and written the way events carry them."""

from __future__ import annotations

from typing import Any

from taximeter.events import Exact, exact, measured

#: Names under which frameworks hand over what was said. Such fields are left out of every activity event unless the
#: meter was made with `records_content=True`: prompts and answers do not leave the process by accident.
CONTENT_FIELDS = frozenset(
    {
        "answer", "answers", "argument", "arguments", "body", "completion", "completions", "content",
        "contents", "document", "documents", "input", "input_messages", "inputs", "instructions", "message",
        "messages", "observation", "output", "output_messages", "outputs", "prompt", "prompts", "query",
        "question", "response", "responses", "result", "results", "system_instructions", "system_prompt",
        "text", "thought"
    }
)  # fmt: skip


def without_content(data: dict[str, Any]) -> dict[str, Any]:
    """`data` less the fields that carry what was said."""
    if CONTENT_FIELDS.isdisjoint(data):
        return data
    return {name: value for name, value in data.items() if name not in CONTENT_FIELDS}


def agent_fields(agent: str) -> dict[str, str]:
    """`support@3` as `agent` and `agent_version`; without an `@` there is no version."""
    key, _, version = agent.partition("@")
    if not key:
        raise ValueError(f"{agent!r} names no agent")
    return {"agent": key, "agent_version": version} if version else {"agent": key}


def inference_fields(
    *,
    model: str,
    input_tokens: int | None,
    output_tokens: int | None,
    compute_seconds: Exact | float | None = None,
    cost: Exact | None = None,
    cost_currency: str | None = None,
    **more: Any,
) -> dict[str, Any]:
    """The data of one inference call. Tokens are None where nobody told them, as of a stream that broke off.

    `compute_seconds` is processor time in seconds, `cost` what the call cost the vendor, in major units
    of `cost_currency`. `more` is any other field of an inference call: `provider`, `model_digest`,
    `quantization`, `cached_input_tokens`, `reasoning_tokens`, `prompt_ms`, `generation_ms`, `queue_ms`,
    `accelerator_seconds`, `finish_reason`, `hardware`.
    """
    if min(input_tokens or 0, output_tokens or 0) < 0:
        raise ValueError("token counts cannot be negative")
    if cost is not None and not cost_currency:
        raise ValueError("a cost needs its cost_currency")
    return {
        "model": model,
        "input_tokens": input_tokens,
        "output_tokens": output_tokens,
        "compute_seconds": measured(compute_seconds),
        "cost": None if cost is None else exact(cost),
        "cost_currency": cost_currency,
        **more,
    }
