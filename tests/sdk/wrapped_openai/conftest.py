"""The real `openai` client, wrapped, against a server that answers as OpenAI does."""

from __future__ import annotations

import gc
import json
from typing import Any

import openai
import pytest
from taximeter import InMemoryTransport, Meter
from taximeter.integrations.openai import wrap

from tests.sdk.openai_server import MESSAGES, SECRETS, openai_server

ASK: dict[str, Any] = {"model": "gpt-5-mini", "messages": MESSAGES}
TOKENS = {"input_tokens": 410, "output_tokens": 58, "cached_input_tokens": 128, "reasoning_tokens": 20}


@pytest.fixture
def server():
    with openai_server() as server:
        yield server


@pytest.fixture
def memory():
    memory = InMemoryTransport()
    yield memory
    gc.collect()
    sent = json.dumps(memory.events)
    assert not [secret for secret in SECRETS if secret in sent], "content has left the process"


@pytest.fixture
def meter(memory):
    return Meter(source="desk", transport=memory)


@pytest.fixture
def client(server, meter):
    return wrap(openai.OpenAI(base_url=f"{server.address}/v1", api_key="k"), meter=meter)


@pytest.fixture
def async_client(server, meter):
    return wrap(openai.AsyncOpenAI(base_url=f"{server.address}/v1", api_key="k"), meter=meter)


def a_task(meter: Meter, **more: Any) -> Any:
    return meter.task("resolve", customer="acme", agent="support@3", task_id="ticket-1", **more)


def kinds(memory: InMemoryTransport) -> list[str]:
    return [event["type"].rpartition(".")[2] for event in memory.events]


def call_of(memory: InMemoryTransport) -> dict[str, Any]:
    [call] = memory.of_type("inference.call")
    return call["data"]


def picked(data: dict[str, Any], *names: str) -> dict[str, Any]:
    return {name: data.get(name) for name in names}
