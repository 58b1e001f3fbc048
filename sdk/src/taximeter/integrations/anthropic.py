"""Anthropic's client: its calls become turns and inference calls.

client = wrap(Anthropic(), meter=meter)

with meter.task("resolve-ticket", customer="acme", agent="support@3") as task:
    client.messages.create(model="claude-haiku-5-5", max_tokens=500, messages=messages)
    task.succeed()
"""

from __future__ import annotations

from taximeter.integrations import anthropic_answers as answers
from taximeter.integrations.model_calls import Named
from taximeter.integrations.wrapping import Client, Dialect, wrapped
from taximeter.meter import Meter

__all__ = ["wrap"]


def wrap(
    client: Client,
    *,
    meter: Meter,
    customer: Named = None,
    agent: Named = None,
    provider: str | None = None,
    tools: bool = False,
) -> Client:
    """A client like `client` (`Anthropic`, `AsyncAnthropic`), with its connections, that records its calls.

    `messages.create` and `messages.stream` are turns of the current task with one inference call each, or the
    inference calls of the turn whose block they are made in. Outside of tasks they stand alone, for `customer` and by
    `agent`: names, or functions that tell them when a call is made. Retries of the library's own are one call.

    `input_tokens` are all that were read, those written to the cache and read from it among them. `tools`: whether the
    tools a model asks for are decisions and the results handed back tool calls; leave it off where your code records
    them.
    """
    return wrapped(
        client,
        dialect=_DIALECT,
        meter=meter,
        customer=customer,
        agent=agent,
        provider=provider,
        tools=tools,
        door=False,
    )


_DIALECT = Dialect(
    operations=answers.OPERATIONS,
    reading_of=answers.reading_of,
    parts_of=lambda hides_usage: answers.StreamReading(),
    ask_for_usage=lambda options, body: False,  # every stream tells it
    tools_offered=answers.tools_offered,
    tools_answered=answers.tools_answered,
    provider_of=answers.provider_of,
)
