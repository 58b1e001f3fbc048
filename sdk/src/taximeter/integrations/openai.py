"""OpenAI's client, and any that speaks its API: its calls become turns and inference calls.

client = wrap(OpenAI(), meter=meter)

with meter.task("resolve-ticket", customer="acme", agent="support@3") as task:
    client.chat.completions.create(model="gpt-5-mini", messages=messages)
    task.succeed()
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from taximeter.integrations import openai_answers as answers
from taximeter.integrations.door import DOOR_HEADER
from taximeter.integrations.model_calls import Named
from taximeter.integrations.wrapping import Client, Dialect, wrapped
from taximeter.meter import Meter

__all__ = ["DOOR_HEADER", "wrap"]


def wrap(
    client: Client,
    *,
    meter: Meter,
    customer: Named = None,
    agent: Named = None,
    provider: str | None = None,
    tools: bool = False,
    door: bool | None = None,
) -> Client:
    """A client like `client` (`OpenAI`, `AsyncOpenAI`, `AzureOpenAI`, …), with its connections, that records its calls.

    Chat completions and responses are turns of the current task with one inference call each, or the inference
    calls of the turn whose block they are made in; embeddings are inference calls alone. Outside of tasks they stand
    alone, for `customer` and by `agent`: names, or functions that tell them when a call is made. Clients made with
    `with_options` record too. Retries of the library's own are one call.

    A stream is asked for its usage unless the caller said no, and a caller who did not ask does not see it.
    `tools`: whether the tools a model asks for are decisions and the results handed back tool calls; leave it off
    where your code records them. `door`: whether this is Taximeter's own OpenAI-compatible address, which meters by
    itself and is told customer, agent and task; by default, whether it is where `meter` sends its events.
    """
    return wrapped(
        client,
        dialect=_DIALECT,
        meter=meter,
        customer=customer,
        agent=agent,
        provider=provider,
        tools=tools,
        door=door,
    )


def ask_for_usage(options: Any, body: Mapping[str, Any]) -> bool:
    """Has the stream say its usage. Whether that was added here: not where the caller said yes or no."""
    if options.url not in _TOLD_ON_REQUEST:
        return False
    extra = options.extra_json if isinstance(options.extra_json, Mapping) else {}
    said = extra.get("stream_options") or body.get("stream_options") or {}
    if "include_usage" in said:
        return False
    asking = {**said, "include_usage": True}
    if "stream_options" in extra:
        options.extra_json = {**extra, "stream_options": asking}
    else:
        options.json_data = {**body, "stream_options": asking}
    return True


def provider_of(client: Any) -> str:
    """Who answers: `openai`, `azure.ai.openai`, or the host of another server that speaks the same API."""
    host = urlsplit(str(client.base_url)).hostname or "unknown"
    if host == "openai.com" or host.endswith(".openai.com"):
        return "openai"
    return "azure.ai.openai" if host.endswith((".openai.azure.com", ".cognitiveservices.azure.com")) else host


#: The paths whose streams tell their usage only where they are asked to.
_TOLD_ON_REQUEST = frozenset({"/chat/completions", "/completions"})

_DIALECT = Dialect(
    operations=answers.OPERATIONS,
    reading_of=answers.reading_of,
    parts_of=lambda hides_usage: answers.StreamReading(hides_usage=hides_usage),
    ask_for_usage=ask_for_usage,
    tools_offered=answers.tools_offered,
    tools_answered=answers.tools_answered,
    provider_of=provider_of,
    unfinished=answers.unfinished,
    asked_again=answers.asked_again,
)
