"""Whatever a body says, the door answers with a refusal that has a name, never with a fault of its own."""

from __future__ import annotations

import contextlib
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inference.domain.chat import parse_chat_request
from inference.domain.completions import parse_completion_request, parse_embedding_request
from inference.domain.requests import RequestError
from inference.domain.tools import CallReader
from tests.examples import examples

words = st.sampled_from(
    [
        "model", "messages", "role", "user", "assistant", "tool", "content", "text", "type", "function", "tools",
        "tool_choice", "tool_calls", "name", "arguments", "parameters", "$ref", "$defs", "#/$defs/x", "object",
        "response_format", "json_schema", "json_object", "schema", "stream", "stream_options", "include_usage", "stop",
        "seed", "n", "max_tokens", "temperature", "prompt", "input", "encoding_format", "required", "auto",
    ]
)  # fmt: skip
texts = words | st.text(max_size=8) | st.sampled_from(["\x00", "\ud800", "x" * 3000])
scalars = st.none() | st.booleans() | st.integers() | st.floats() | texts
values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=5), max_leaves=20
)
bodies = values | st.fixed_dictionaries(
    {"model": st.just("m"), "messages": st.just([{"role": "user", "content": "x"}]), "prompt": st.just("x")},
    optional=dict.fromkeys(("tools", "tool_choice", "response_format", "stop", "seed", "input", "n"), values),
)


@pytest.mark.parametrize("parse", [parse_chat_request, parse_completion_request, parse_embedding_request])
@settings(max_examples=examples(50, thorough=1000))
@given(body=bodies)
def test_a_body_is_taken_or_refused(parse, body):
    with contextlib.suppress(RequestError):
        parse(body)


NASTY: list[Any] = [
    {"messages": [{"role": "user", "content": "\ud800"}]},
    {"messages": [{"role": "user", "content": "a\x00b"}], "max_tokens": 1},
    {"model": "\ud800"},
    {"model": "x" * 100_000},
    {"seed": 10**30, "max_tokens": 1},
    {"temperature": float("nan")},
    {"stop": ["\ud800"], "max_tokens": 1},
    {"stream_options": [1]},
    {"response_format": {"type": "json_schema", "json_schema": {"schema": {"$ref": "#"}}}, "max_tokens": 1},
    {"tools": [{"type": "function", "function": {"name": "a", "parameters": {"$ref": "#/$defs/none"}}}]},
    {"tools": [{"type": "function", "function": {"name": "a", "parameters": {"enum": ["\ud800"]}}}]},
]


@pytest.mark.parametrize("stream", [False, True])
def test_the_engine_survives_what_no_client_should_send(engine, stream):
    for body in NASTY:
        with engine.client() as client:
            content = json.dumps({"model": engine.model, "messages": [{"role": "user", "content": "x"}], **body})
            answer = client.post("/v1/chat/completions", content=json.dumps({**json.loads(content), "stream": stream}))
        assert answer.status_code < 500, (body, answer.text[:300])
    deep = b'{"model": "m", "messages": ' + b"[" * 50_000 + b"]" * 50_000 + b"}"
    with engine.client() as client:
        assert client.post("/v1/chat/completions", content=deep).status_code == 400
    assert engine.chat(max_tokens=1).status_code == 200


@given(
    st.lists(st.integers(1, 7), min_size=1, max_size=40),
    st.recursive(
        st.text(max_size=5), lambda inner: st.dictionaries(st.text(max_size=3), inner, max_size=3), max_leaves=6
    ),
)
def test_a_call_is_read_whatever_pieces_it_comes_in(sizes, value):
    arguments = json.dumps({"value": value}, separators=(",", ":"))
    text = f'{{"name":"look_up","arguments":{arguments}}}'
    reader, read, at, number = CallReader(), "", 0, 0
    while at < len(text):
        size = sizes[number % len(sizes)]
        read += reader.take(text[at : at + size])
        at, number = at + size, number + 1
    assert (reader.name, read + reader.finish(cut=False)) == ("look_up", arguments)
