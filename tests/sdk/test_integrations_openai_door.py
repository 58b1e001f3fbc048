"""A wrapped client at Taximeter's own door: a real web server, engine and database, and every call there once."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import openai
import pytest
from taximeter import HttpTransport, Meter
from taximeter.integrations.openai import DOOR_HEADER, wrap

from accounts.facade import Organization, create_api_key, create_organization
from metering.facade import EventQuestion, EventView, list_events
from tests.inference.engine_process import MODELS, Engine, start_engine

pytestmark = pytest.mark.django_db(transaction=True)

ASK: dict[str, Any] = {"messages": [{"role": "user", "content": "Name a colour"}], "max_tokens": 8}


@pytest.fixture(scope="module")
def engine() -> Iterator[Engine]:
    engine = start_engine(MODELS / "tiny-llama.gguf")
    yield engine
    engine.stop()


@pytest.fixture
def vendor(settings, engine, live_server) -> tuple[Organization, str]:
    settings.ENGINE_SOCKET = str(engine.socket)
    organization = create_organization(name="Vendor")
    _, secret = create_api_key(organization=organization, name="agents", scopes=["ingest"])
    return organization, secret


def events_of(organization: Organization) -> list[EventView]:
    return list_events(EventQuestion(organization_id=organization.pk), limit=100)[0]


@pytest.mark.parametrize("streams", [False, True])
def test_turns_are_recorded_here_and_inference_calls_there(vendor, live_server, engine, streams):
    organization, secret = vendor
    meter = Meter(source="desk", transport=HttpTransport(live_server.url, api_key=secret))
    with openai.OpenAI(base_url=f"{live_server.url}/v1", api_key=secret, max_retries=0) as plain:
        client = wrap(plain, meter=meter)
        with meter.task("resolve", customer="acme", agent="support@3", task_id="ticket-1") as task:
            for _ in range(2):
                answer = client.chat.completions.create(model=engine.model, stream=streams, **ASK)
                assert len(list(answer)) > 1 if streams else answer.choices
            task.succeed()
    events = events_of(organization)
    kinds = sorted(event.type for event in events)
    assert kinds == ["agent.task", "agent.turn", "agent.turn", "inference.call", "inference.call"]
    assert {(event.customer, event.data["task_id"], event.data["agent"]) for event in events} == {
        ("acme", "ticket-1", "support")
    }
    calls = [event for event in events if event.type == "inference.call"]
    assert {call.source for call in calls} == {"taximeter/inference"}
    assert {call.data["turn_id"] for call in calls} == {"ticket-1/turn-1", "ticket-1/turn-2"}
    assert all(call.data["compute_seconds"] for call in calls)


@pytest.mark.parametrize("streams", [False, True])
def test_a_door_of_another_name_is_known_by_its_answer(vendor, live_server, engine, streams, caplog):
    organization, secret = vendor
    elsewhere = live_server.url.replace("localhost", "127.0.0.1")
    assert elsewhere != live_server.url
    meter = Meter(source="desk", transport=HttpTransport(elsewhere, api_key=secret))
    with openai.OpenAI(base_url=f"{live_server.url}/v1", api_key=secret, max_retries=0) as plain:
        answer = wrap(plain, meter=meter).chat.completions.create(model=engine.model, stream=streams, **ASK)
        assert len(list(answer)) > 1 if streams else answer.choices
    [call] = events_of(organization)
    assert call.source == "taximeter/inference"
    assert "door=True" in caplog.text


def test_the_door_names_the_call(vendor, live_server, engine):
    organization, secret = vendor
    with openai.OpenAI(base_url=f"{live_server.url}/v1", api_key=secret) as client:
        answer = client.chat.completions.with_raw_response.create(model=engine.model, **ASK)
    [call] = events_of(organization)
    assert call.id == f"call/{answer.headers[DOOR_HEADER]}"
