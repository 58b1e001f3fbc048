"""Tools, schemas, completions and embeddings, as the real `openai` client asks for them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import openai
import pytest
from pydantic import BaseModel

from tests.inference.door import MESSAGES, Door, door_at, point_door_at
from tests.inference.engine_process import MODELS, Engine, start_engine

pytestmark = pytest.mark.django_db(transaction=True)


class Street(BaseModel):
    name: str


class Weather(BaseModel):
    """The weather of a place."""

    street: Street
    days: int


TOOLS: list[Any] = [
    openai.pydantic_function_tool(Weather, name="get_weather"),
    # Without anything else: a random model would not come to the end of what it makes up.
    {
        "type": "function",
        "function": {
            "name": "give_up",
            "parameters": {"type": "object", "properties": {}, "additionalProperties": False},
        },
    },
]
NAMED = {"type": "function", "function": {"name": "get_weather"}}
#: A short name, as a random model writes until it must stop.
TOOLS[0]["function"]["parameters"]["$defs"]["Street"]["properties"]["name"]["maxLength"] = 8
TOOLS[0]["function"]["parameters"]["properties"]["days"]["maximum"] = 9
TOOLS[0]["function"]["parameters"]["properties"]["days"]["minimum"] = 1


def test_a_named_tool_is_called_with_arguments_that_fit(door):
    with door.client() as client:
        answer = client.chat.completions.create(
            model=door.model, messages=MESSAGES, tools=TOOLS, tool_choice=NAMED, max_tokens=200
        )
    (choice,) = answer.choices
    assert choice.finish_reason == "tool_calls"
    assert choice.message.content is None
    (call,) = choice.message.tool_calls
    assert (call.type, call.function.name) == ("function", "get_weather")
    assert 1 <= Weather.model_validate_json(call.function.arguments).days <= 9
    (event,) = door.events()
    assert event.data["output_tokens"] == answer.usage.completion_tokens


def test_a_required_tool_is_called_in_a_stream(door):
    with door.client() as client:
        chunks = list(
            client.chat.completions.create(
                model=door.model, messages=MESSAGES, tools=TOOLS, tool_choice="required", max_tokens=300, stream=True
            )
        )
    calls = [call for chunk in chunks for call in chunk.choices[0].delta.tool_calls or []]
    assert calls[0].id.startswith("call_")
    assert calls[0].function.name in {"get_weather", "give_up"}
    assert isinstance(json.loads("".join(call.function.arguments for call in calls)), dict)
    assert chunks[-1].choices[0].finish_reason == "tool_calls"


def test_with_tool_choice_auto_the_answer_is_text_or_a_call(door):
    for seed in range(6):
        with door.client() as client:
            answer = client.chat.completions.create(
                model=door.model, messages=MESSAGES, tools=TOOLS, max_tokens=300, seed=seed, temperature=1.5
            )
        (choice,) = answer.choices
        if choice.message.tool_calls:
            assert json.loads(choice.message.tool_calls[0].function.arguments) is not None
        else:
            assert choice.message.content is not None


def test_with_tool_choice_none_no_tool_is_told_of(door):
    with door.client() as client:
        plain = client.chat.completions.create(model=door.model, messages=MESSAGES, max_tokens=4)
        none = client.chat.completions.create(
            model=door.model, messages=MESSAGES, max_tokens=4, tools=TOOLS, tool_choice="none"
        )
    assert none.usage.prompt_tokens == plain.usage.prompt_tokens


def test_a_conversation_with_a_tools_answer_goes_on(door):
    call = {"id": "call_1", "type": "function", "function": {"name": "give_up", "arguments": "{}"}}
    messages = [
        *MESSAGES,
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "call_1", "content": [{"type": "text", "text": "given up"}]},
    ]
    with door.client() as client:
        answer = client.chat.completions.create(model=door.model, messages=messages, tools=TOOLS, max_tokens=4)
    # The model draws its words, among which may be the end of its answer.
    assert answer.usage.completion_tokens == 4 or answer.choices[0].finish_reason == "stop"


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"tools": TOOLS, "tool_choice": {"type": "function", "function": {"name": "other"}}}, "tool_choice"),
        ({"tool_choice": "required"}, "tool_choice"),
        ({"tools": [TOOLS[1], TOOLS[1]]}, "tools"),
        ({"tools": TOOLS, "response_format": {"type": "json_object"}}, "response_format"),
        ({"tools": [{"type": "function", "function": {"name": "x", "parameters": {"type": "nonsense"}}}]}, "tools"),
        ({"n": 2}, "n"),
        ({"logprobs": True}, "logprobs"),
        ({"stop": [""]}, "stop"),
    ],
)
@pytest.mark.parametrize("stream", [False, True])
def test_what_cannot_be_done_is_refused_by_its_name(door, body, param, stream):
    with door.client() as client, pytest.raises(openai.BadRequestError) as refused:
        client.chat.completions.create(model=door.model, messages=MESSAGES, stream=stream, max_tokens=20, **body)
    assert refused.value.param == param
    assert refused.value.type == "invalid_request_error"
    assert door.events() == []


def test_a_typed_answer_is_parsed(door):
    class Verdict(BaseModel):
        good: bool

    with door.client() as client:
        answer = client.chat.completions.parse(model=door.model, messages=MESSAGES, response_format=Verdict)
    assert answer.choices[0].message.parsed.good in {True, False}


@pytest.mark.parametrize("stream", [False, True])
def test_a_completion_goes_on_from_its_prompt(door, stream):
    with door.client() as client:
        answer = client.completions.create(model=door.model, prompt="Once", max_tokens=5, temperature=0, stream=stream)
        if stream:
            chunks = list(answer)
            assert chunks[-1].choices[0].finish_reason == "length"
        else:
            assert (answer.object, answer.usage.completion_tokens) == ("text_completion", 5)
    (event,) = door.events()
    assert (event.data["input_tokens"], event.data["output_tokens"]) == (4, 5)


@pytest.fixture(scope="module")
def embedding_engine() -> Iterator[Engine]:
    engine = start_engine(MODELS / "tiny-embedding.gguf")
    yield engine
    engine.stop()


@pytest.fixture
def embedding_door(settings, embedding_engine, live_server) -> Iterator[Door]:
    for engine in point_door_at(settings, embedding_engine):
        yield door_at(live_server.url, engine.model)


@pytest.mark.parametrize("form", ["float", "base64"])
def test_texts_become_vectors_and_are_metered(embedding_door, form):
    with embedding_door.client() as client:
        answer = client.embeddings.create(
            model=embedding_door.model, input=["hello", "b"], **({"encoding_format": form} if form == "float" else {})
        )
    assert [len(item.embedding) for item in answer.data] == [64, 64]
    assert answer.usage.prompt_tokens == 6
    (event,) = embedding_door.events()
    assert (event.data["input_tokens"], event.data["output_tokens"]) == (6, 0)


def test_a_model_that_makes_no_embeddings_says_so(door):
    with door.client() as client, pytest.raises(openai.BadRequestError) as refused:
        client.embeddings.create(model=door.model, input="hello")
    assert refused.value.code == "embeddings_unsupported"
    assert door.events() == []
