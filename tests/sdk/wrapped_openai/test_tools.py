"""Tools that a model asks for through the wrapped client of `openai`."""

from __future__ import annotations

from typing import Any

import openai
import pytest
from taximeter.integrations.openai import wrap

from tests.sdk.openai_server import MESSAGES, TOOLS, chunks, completion, response
from tests.sdk.wrapped_openai.conftest import ASK, a_task, kinds, picked


def result_of(call_id: str) -> list[Any]:
    function = {"name": "refund", "arguments": "secret-argument"}
    said = {"role": "assistant", "tool_calls": [{"id": call_id, "type": "function", "function": function}]}
    return [*MESSAGES, said, {"role": "tool", "tool_call_id": call_id, "content": "secret-result"}]


@pytest.mark.parametrize("streams", [False, True])
def test_tools_asked_for_are_decisions_and_results_handed_back_are_tool_calls(server, meter, memory, streams):
    client = wrap(openai.OpenAI(base_url=f"{server.address}/v1", api_key="k"), meter=meter, tools=True)
    asks, says = (chunks(tool="refund"), chunks()) if streams else (completion(tool="refund"), completion())
    server.answers = [asks, says, says]
    model = {"model": "gpt-5-mini", "tools": TOOLS, "stream": streams}
    with a_task(meter) as task:
        for messages in (MESSAGES, result_of("t1"), result_of("t1")):  # history goes along each time
            answer = client.chat.completions.create(messages=messages, **model)
            if streams:
                list(answer)
        task.succeed()
    assert kinds(memory) == ["call", "decision", "turn", "tool_call", "call", "turn", "call", "turn", "task"]
    [decision], [call] = memory.of_type("agent.decision"), memory.of_type("agent.tool_call")
    assert picked(decision["data"], "kind", "choice", "options", "turn_id") == {
        "kind": "tool", "choice": "refund", "options": ["refund", "escalate"], "turn_id": "ticket-1/turn-1",
    }  # fmt: skip
    assert picked(call["data"], "tool", "decision_id", "turn_id") == {
        "tool": "refund", "decision_id": decision["id"], "turn_id": "ticket-1/turn-1",
    }  # fmt: skip


def test_tools_of_responses_are_decisions_too(server, meter, memory):
    client = wrap(openai.OpenAI(base_url=f"{server.address}/v1", api_key="k"), meter=meter, tools=True)
    server.answers = [response(tool="refund"), response()]
    tool: Any = {"type": "function", "name": "refund", "parameters": {}, "strict": False}
    result: Any = {"type": "function_call_output", "call_id": "t1", "output": "secret-result"}
    with a_task(meter):
        client.responses.create(model="gpt-5-mini", input="secret-prompt", tools=[tool])
        client.responses.create(model="gpt-5-mini", input=[result], previous_response_id="r", tools=[tool])
    assert kinds(memory) == ["call", "decision", "turn", "tool_call", "call", "turn", "task"]


def test_by_default_tools_are_left_to_the_agents_code(server, meter, client, memory):
    server.answers = [completion(tool="refund"), completion()]
    with a_task(meter):
        client.chat.completions.create(**ASK, tools=TOOLS)
        client.chat.completions.create(model="gpt-5-mini", messages=result_of("t1"), tools=TOOLS)
    assert kinds(memory) == ["call", "turn", "call", "turn", "task"]


def test_of_several_answers_none_is_a_decision(server, meter, memory):
    client = wrap(openai.OpenAI(base_url=f"{server.address}/v1", api_key="k"), meter=meter, tools=True)
    whole = completion(tool="refund")
    whole["choices"].append({**whole["choices"][0], "index": 1})
    server.answers = [whole]
    with a_task(meter):
        client.chat.completions.create(**ASK, n=2, tools=TOOLS)
    assert kinds(memory) == ["call", "turn", "task"]
