"""The OpenAI-compatible door with the real `openai` client, against a real web server, engine and database."""

from __future__ import annotations

import threading
from decimal import Decimal

import httpx
import openai
import pytest
from django.conf import settings
from django.test import Client

from accounts.facade import create_api_key
from inference.engine.model_file import describe_model_file
from tests.inference.door import HEADERS, MESSAGES, door_at, point_door_at, wait_for_event
from tests.inference.engine_process import MODELS, chat_body, long_body, start_engine

pytestmark = pytest.mark.django_db(transaction=True)


def test_an_answer_is_one_inference_call(door):
    with door.client(default_headers=HEADERS | {"X-Subscription": "acme-eu"}) as client:
        answer = client.chat.completions.create(model=door.model, messages=MESSAGES, max_tokens=8, temperature=0)
    assert answer.usage is not None
    assert (answer.usage.prompt_tokens, answer.usage.completion_tokens) == (32, 8)
    assert answer.choices[0].finish_reason == "length"
    (event,) = door.events()
    assert (event.type, event.customer, event.source) == ("inference.call", "acme", "taximeter/inference")
    assert event.subscription == "acme-eu"
    assert event.id.startswith("call/call_")
    expected = {
        "agent": "support",
        "agent_version": "3",
        "task_id": "ticket-1",
        "turn_id": "ticket-1/turn-1",
        "provider": "taximeter",
        "model": "tiny-random-llama",
        "model_digest": describe_model_file(MODELS / "tiny-llama.gguf").digest,
        "architecture": "llama",
        "quantization": "Q8_0",
        "hardware": "cpu",
        "input_tokens": 32,
        "cached_input_tokens": 0,
        "output_tokens": 8,
        "finish_reason": "length",
        "cost_currency": "USD",
    }
    assert {name: event.data[name] for name in expected} == expected
    seconds = Decimal(event.data["compute_seconds"])
    assert 0 < seconds < 1
    assert Decimal(event.data["cost"]) == seconds * Decimal(settings.COMPUTE_SECOND_COST)
    assert {"queue_ms", "prompt_ms", "generation_ms", "first_token_ms"} <= event.data.keys()
    assert not {"messages", "content", "finished_at"} & event.data.keys()


def test_a_stream_is_one_inference_call_with_the_same_counts(door):
    with door.client(default_headers=HEADERS) as client:
        chunks = list(
            client.chat.completions.create(
                model=door.model,
                messages=MESSAGES,
                max_tokens=8,
                temperature=0,
                stream=True,
                stream_options={"include_usage": True},
            )
        )
        whole = client.chat.completions.create(model=door.model, messages=MESSAGES, max_tokens=8, temperature=0)
    assert chunks[-1].usage is not None
    assert chunks[-1].usage.completion_tokens == 8
    text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
    assert text == whole.choices[0].message.content
    streamed, at_once = door.events()
    for name in ("input_tokens", "output_tokens", "finish_reason", "model_digest"):
        assert streamed.data[name] == at_once.data[name]


def test_an_answer_under_a_schema(door):
    schema = {"type": "object", "properties": {"ok": {"type": "boolean"}}, "required": ["ok"]}
    schema["additionalProperties"] = False
    with door.client() as client:
        answer = client.chat.completions.create(
            model=door.model,
            messages=MESSAGES,
            max_tokens=30,
            response_format={"type": "json_schema", "json_schema": {"name": "verdict", "schema": schema}},
        )
    assert answer.choices[0].message.content in {'{"ok":true}', '{"ok":false}'}


def test_a_call_that_names_no_customer_is_counted_for_none(door):
    with door.client() as client:
        client.chat.completions.create(model=door.model, messages=MESSAGES, max_tokens=2)
    (event,) = door.events()
    assert event.customer is None
    assert "agent" not in event.data


def test_a_stream_that_its_client_leaves_is_counted_for_what_was_computed(language_door):
    body = long_body(language_door.model)
    with language_door.client(default_headers=HEADERS) as client:
        stream = client.chat.completions.create(**body)
        for _, chunk in zip(range(6), stream, strict=False):
            assert chunk.choices
        stream.close()
    event = wait_for_event(language_door)
    assert event.data["finish_reason"] == "cancelled"
    assert 4 <= event.data["output_tokens"] < 500
    assert Decimal(event.data["compute_seconds"]) > 0


def test_a_stream_that_is_closed_before_anything_is_read_ends_and_is_counted(language_door):
    answer = Client().post(
        "/v1/chat/completions",
        long_body(language_door.model),
        content_type="application/json",
        HTTP_AUTHORIZATION=f"Bearer {language_door.secret}",
    )
    answer.close()
    assert wait_for_event(language_door).data["output_tokens"] < 500


def test_an_engine_killed_in_mid_stream_ends_it_with_an_error_and_counts_what_is_known(settings, live_server):
    engine = start_engine(None)
    for _ in point_door_at(settings, engine):
        door = door_at(live_server.url, engine.model)
        with door.client(default_headers=HEADERS) as client:
            stream = client.chat.completions.create(**long_body(engine.model))
            next(stream)
            next(stream)
            threading.Timer(0.3, engine.process.kill).start()
            with pytest.raises(openai.APIError, match="not answering"):
                list(stream)
    engine.stop()
    event = wait_for_event(door)
    assert event.data["finish_reason"] == "error"
    assert event.data["output_tokens"] >= 2
    assert event.data["model"] == "smollm2-135m-instruct"


def test_without_an_engine_the_answer_is_503_and_says_when_to_come_back(settings, live_server, tmp_path):
    settings.ENGINE_SOCKET = str(tmp_path / "nobody.sock")
    door = door_at(live_server.url, "any")
    with door.client() as client, pytest.raises(openai.InternalServerError) as raised:
        client.chat.completions.create(model="any", messages=MESSAGES)
    assert raised.value.status_code == 503
    assert raised.value.code == "engine_unavailable"
    assert raised.value.response.headers["Retry-After"] == "2"
    assert door.events() == []


def test_the_models_can_be_listed(door):
    with door.client() as client:
        assert [model.id for model in client.models.list()] == ["tiny-random-llama"]


def test_without_a_key_or_the_scope_nothing_is_served(door):
    stranger = openai.OpenAI(base_url=f"{door.address}/v1", api_key="wrong", max_retries=0)
    with stranger, pytest.raises(openai.AuthenticationError) as refused:
        stranger.chat.completions.create(model=door.model, messages=MESSAGES)
    assert refused.value.code == "api_key_invalid"
    _, secret = create_api_key(organization=door.organization, name="reader", scopes=["read"])
    reader = openai.OpenAI(base_url=f"{door.address}/v1", api_key=secret, max_retries=0)
    with reader, pytest.raises(openai.PermissionDeniedError) as forbidden:
        reader.chat.completions.create(model=door.model, messages=MESSAGES)
    assert forbidden.value.code == "scope_missing"
    assert door.events() == []


@pytest.mark.parametrize("stream", [False, True])
def test_what_the_engine_refuses_is_passed_on_and_not_counted(door, stream):
    with door.client() as client, pytest.raises(openai.NotFoundError) as raised:
        client.chat.completions.create(model="gpt-4o", messages=MESSAGES, stream=stream)
    assert raised.value.code == "model_not_found"
    with door.client() as client, pytest.raises(openai.BadRequestError) as raised:
        client.chat.completions.create(model=door.model, messages=[], stream=stream)
    assert raised.value.param == "messages"
    assert door.events() == []


@pytest.mark.parametrize(
    ("content", "headers", "code"),
    [
        (b"{no json", {}, "malformed_json"),
        (b"[]", {}, "invalid_request_error"),
        (b"", {}, "malformed_json"),
        (b"{}", {"X-Customer": "a" * 201}, "header_invalid"),
        (b"{}", {"X-Agent": "@3"}, "header_invalid"),
        (b'{"model": "m", "messages": [{"role": "user", "content": "\\ud800"}]}', {}, "malformed_json"),
        (b"\xff", {}, "malformed_json"),
    ],
)
def test_a_malformed_request_is_refused_in_openai_shape(door, content, headers, code):
    response = httpx.post(
        f"{door.address}/v1/chat/completions",
        content=content,
        headers={"Authorization": f"Bearer {door.secret}", "Content-Type": "application/json", **headers},
    )
    assert 400 <= response.status_code < 500
    assert response.json()["error"]["code"] == code


def test_the_door_asks_the_database_little(door, django_assert_max_num_queries):
    headers = {"HTTP_AUTHORIZATION": f"Bearer {door.secret}"}
    with django_assert_max_num_queries(5):  # the key, the meters' numeric paths, and the insert in its transaction
        answer = Client().post(
            "/v1/chat/completions", chat_body(door.model, max_tokens=2), content_type="application/json", **headers
        )
    assert answer.status_code == 200
