"""Each integration's page: its example runs as it stands, and what it says of events is what arrives."""

from __future__ import annotations

from typing import Any

import pytest

from tests.sdk.openai_server import completion, openai_server
from tests.sdk.pages import python_of, run
from tests.sdk.receiver import Receiver, receiving
from tests.sdk.test_integrations_anthropic import message


@pytest.fixture
def receiver(monkeypatch, tmp_path):
    """What the environment names as the place events go to."""
    with receiving() as receiver:
        monkeypatch.setenv("TAXIMETER_URL", receiver.address)
        monkeypatch.setenv("TAXIMETER_API_KEY", "k")
        monkeypatch.setenv("TAXIMETER_SPOOL", str(tmp_path / "spool"))
        yield receiver


def events_of(names: dict[str, Any], receiver: Receiver) -> list[tuple[str, str]]:
    meter = names["meter"]
    try:
        assert meter.flush(60)
    finally:
        meter.close(1)
    return [(event["type"], event["subject"]) for event in receiver.stored.values()]


def test_openai(receiver, monkeypatch):
    with openai_server() as server:
        monkeypatch.setenv("OPENAI_BASE_URL", f"{server.address}/v1")
        monkeypatch.setenv("OPENAI_API_KEY", "k")
        server.answers = [completion()]
        names = run(python_of("docs/integrations/openai.md")[0])
        assert names["answer"].choices[0].message.content == "secret-answer"
    assert events_of(names, receiver) == [("inference.call", "acme"), ("agent.turn", "acme"), ("agent.task", "acme")]


def test_anthropic(receiver, monkeypatch):
    with openai_server() as server:
        monkeypatch.setenv("ANTHROPIC_BASE_URL", server.address)
        monkeypatch.setenv("ANTHROPIC_API_KEY", "k")
        server.answers = [message()]
        names = run(python_of("docs/integrations/anthropic.md")[0])
        assert names["answer"].usage.output_tokens == 58
    assert events_of(names, receiver) == [("inference.call", "acme"), ("agent.turn", "acme"), ("agent.task", "acme")]


def test_langchain(receiver):
    names = run(python_of("docs/integrations/langchain.md")[0])
    assert events_of(names, receiver) == [("inference.call", "acme"), ("agent.turn", "acme"), ("agent.task", "acme")]
    task = receiver.stored["support-desk", "ticket-4711/task"]["data"]
    assert (task["goal"], task["outcome"]) == ("resolve-ticket", "succeeded")


def test_opentelemetry(receiver):
    names = run(python_of("docs/integrations/opentelemetry.md")[0])
    assert events_of(names, receiver) == [("inference.call", "acme"), ("agent.task", "acme")]
