"""The callback handler with the real `langchain-core`: its models that answer from a list, its tools, its chains."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from langchain_core.language_models import FakeListLLM, GenericFakeChatModel
from langchain_core.language_models.fake import FakeListLLMError, FakeStreamingListLLM
from langchain_core.messages import AIMessage, ToolMessage
from langchain_core.output_parsers import StrOutputParser
from langchain_core.prompts import ChatPromptTemplate
from langchain_core.runnables import RunnableLambda, RunnableParallel
from langchain_core.tools import tool
from taximeter import InMemoryTransport, Meter
from taximeter.integrations.langchain import TaximeterCallbackHandler

SECRETS = ("secret-prompt", "secret-answer", "secret-argument", "secret-result", "secret-error")
USAGE: Any = {
    "input_tokens": 410, "output_tokens": 58, "total_tokens": 468,
    "input_token_details": {"cache_read": 128, "cache_creation": 16}, "output_token_details": {"reasoning": 20},
}  # fmt: skip
TOKENS = {
    "input_tokens": 410, "output_tokens": 58, "cached_input_tokens": 128, "cache_write_input_tokens": 16,
    "reasoning_tokens": 20,
}  # fmt: skip


@tool
def refund(order: str) -> str:
    """Pay an order back."""
    if order == "broken":
        raise ValueError("secret-error")
    return "secret-result"


def says(text: str = "secret-answer", **more: Any) -> AIMessage:
    about = {"model_name": "gpt-5-mini-2026-01-01", "finish_reason": "tool_calls" if more else "stop"}
    return AIMessage(text, usage_metadata=USAGE, response_metadata=about, **more)


def calls(*orders: str) -> AIMessage:
    """An answer that asks for a refund of each order."""
    asked = [{"name": "refund", "args": {"order": order}, "id": f"t{n}"} for n, order in enumerate(orders)]
    return says("", tool_calls=asked)


class Model(GenericFakeChatModel):
    """As `GenericFakeChatModel`, and it may be told of tools."""

    def bind_tools(self, tools: Any, **_: Any) -> Any:
        return self.bind(tools=[{"type": "function", "function": {"name": one.name}} for one in tools])


def model_that(*messages: AIMessage) -> Model:
    return Model(messages=iter(messages))


def agent_with(model: Any) -> Any:
    """An agent as small as can be: asks the model until it calls no tool, in a chain of its own."""
    bound = model.bind_tools([refund])

    def work(state: Any) -> Any:
        messages = [("human", state["question"])]
        while True:
            answer = bound.invoke(messages)
            messages.append(answer)
            if not answer.tool_calls:
                return {"answer": answer.content}
            for call in answer.tool_calls:
                messages.append(refund.invoke(call))

    return RunnableLambda(work, name="support-desk")


@pytest.fixture
def memory():
    memory = InMemoryTransport()
    yield memory
    sent = json.dumps(memory.events)
    assert not [secret for secret in SECRETS if secret in sent], "content has left the process"


@pytest.fixture
def meter(memory):
    return Meter(source="desk", transport=memory)


@pytest.fixture
def handler(meter):
    return TaximeterCallbackHandler(meter, customer="acme", agent="support@3")


QUESTION = {"question": "secret-prompt"}


def config(handler: Any, task_id: str | None = "ticket-1", **metadata: Any) -> Any:
    told = {**metadata, **({"taximeter_task_id": task_id} if task_id else {})}
    return {"callbacks": [handler], "metadata": told}


def kinds(memory: InMemoryTransport) -> list[str]:
    return [event["type"].rpartition(".")[2] for event in memory.events]


def picked(data: dict[str, Any], *names: str) -> dict[str, Any]:
    return {name: data.get(name) for name in names}


def test_an_agents_run_is_a_task_with_turns_decisions_tool_calls_and_inference_calls(handler, memory):
    agent_with(model_that(calls("o1"), says())).invoke(QUESTION, config(handler, thread_id="c7"))
    assert [(event["type"], event["id"]) for event in memory.events] == [
        ("inference.call", "ticket-1/turn-1/inference-1"),
        ("agent.turn", "ticket-1/turn-1"),
        ("agent.decision", "ticket-1/turn-1/decision-1"),
        ("agent.tool_call", "ticket-1/turn-1/tool-call-1"),
        ("inference.call", "ticket-1/turn-2/inference-1"),
        ("agent.turn", "ticket-1/turn-2"),
        ("agent.task", "ticket-1/task"),
    ]
    assert {event["subject"] for event in memory.events} == {"acme"}
    call, _, decision, used, *_, task = [event["data"] for event in memory.events]
    assert picked(call, *TOKENS) == TOKENS
    assert picked(call, "model", "finish_reason", "agent", "agent_version", "conversation_id") == {
        "model": "gpt-5-mini-2026-01-01", "finish_reason": "tool_calls", "agent": "support", "agent_version": "3",
        "conversation_id": "c7",
    }  # fmt: skip
    assert picked(decision, "kind", "choice", "options") == {
        "kind": "tool", "choice": "refund", "options": ["refund"],
    }  # fmt: skip
    assert picked(used, "tool", "decision_id", "tool_call_id", "error") == {
        "tool": "refund", "decision_id": "ticket-1/turn-1/decision-1", "tool_call_id": "t0", "error": None,
    }  # fmt: skip
    assert picked(task, "goal", "outcome", "turns", "decisions") == {
        "goal": "support-desk", "outcome": "succeeded", "turns": 2, "decisions": 1,
    }  # fmt: skip


def test_a_run_without_a_task_id_is_named_by_its_run(handler, memory):
    agent_with(model_that(says())).invoke(QUESTION, config(handler, None))
    agent_with(model_that(says())).invoke(QUESTION, config(handler, None))
    assert len({event["data"]["task_id"] for event in memory.events}) == 2


def test_chains_within_chains_are_one_task(handler, memory):
    inner = ChatPromptTemplate.from_messages([("human", "{question}")]) | model_that(says(), says()) | StrOutputParser()
    outer = RunnableLambda(lambda state: {"question": state["question"]}) | RunnableParallel(a=inner, b=inner)
    outer.invoke(QUESTION, config(handler))
    assert sorted(kinds(memory)) == ["call", "call", "task", "turn", "turn"]
    assert {event["data"]["task_id"] for event in memory.events} == {"ticket-1"}
    assert memory.events[-1]["data"]["turns"] == 2


def test_in_the_block_of_a_task_a_chain_belongs_to_it(handler, meter, memory):
    with meter.task("resolve", customer="zeta", agent="desk", task_id="own") as task:
        agent_with(model_that(calls("o1"), says())).invoke(QUESTION, config(handler))
        task.escalate()
    assert kinds(memory) == ["call", "turn", "decision", "tool_call", "call", "turn", "task"]
    assert {(event["subject"], event["data"]["task_id"]) for event in memory.events} == {("zeta", "own")}
    assert memory.events[-1]["data"]["outcome"] == "escalated"


def test_in_the_block_of_a_turn_models_are_calls_of_that_turn(handler, meter, memory):
    with meter.task("resolve", customer="zeta", agent="desk", task_id="own") as task, task.turn("own/first"):
        agent_with(model_that(calls("o1"), says())).invoke(QUESTION, config(handler))
    assert kinds(memory) == ["call", "decision", "tool_call", "call", "turn", "task"]
    assert {event["data"].get("turn_id") for event in memory.events[:5]} == {"own/first"}


def test_a_model_alone_is_an_inference_call_alone(handler, meter, memory):
    model_that(says()).invoke("secret-prompt", config(handler))
    with meter.task("resolve", customer="zeta", agent="desk", task_id="own"):
        model_that(says()).invoke("secret-prompt", config(handler))
    assert kinds(memory) == ["call", "call", "turn", "task"]
    assert [event["subject"] for event in memory.events] == ["acme", "zeta", "zeta", "zeta"]


def test_a_stream_is_counted_when_it_ends(handler, memory):
    chain = ChatPromptTemplate.from_messages([("human", "{question}")]) | model_that(says("secret-answer a b"))
    stream = chain.stream(QUESTION, config(handler))
    assert next(stream)
    assert memory.events == []
    assert "".join(part.content for part in stream) == " a b"
    assert kinds(memory) == ["call", "turn", "task"]


def test_a_stream_that_is_left_is_cancelled(handler, memory):
    chain = ChatPromptTemplate.from_messages([("human", "{question}")]) | model_that(says("secret-answer a b c"))
    stream = chain.stream(QUESTION, config(handler))
    next(stream)
    stream.close()
    [task], [call] = memory.of_type("agent.task"), memory.of_type("inference.call")
    assert (task["data"]["outcome"], call["data"]["finish_reason"]) == ("cancelled", "cancelled")
    assert call["data"]["task_id"] == "ticket-1"


def test_a_chain_that_raises_is_a_failed_task_and_an_unanswered_model_no_turn(handler, memory):
    class Broken(Model):
        def _generate(self, *_: Any, **__: Any) -> Any:
            raise ConnectionError("secret-error")

    with pytest.raises(ConnectionError):
        agent_with(Broken(messages=iter([]))).invoke(QUESTION, config(handler))
    assert kinds(memory) == ["call", "task"]
    call, task = [event["data"] for event in memory.events]
    assert picked(call, "error", "finish_reason") == {"error": "ConnectionError", "finish_reason": "error"}
    assert picked(task, "outcome", "turns") == {"outcome": "failed", "turns": 0}


def test_a_tool_that_raises_is_a_tool_call_with_the_errors_class(handler, memory):
    with pytest.raises(ValueError, match="secret-error"):
        agent_with(model_that(calls("broken"))).invoke(QUESTION, config(handler))
    [used] = memory.of_type("agent.tool_call")
    assert used["data"]["error"] == "ValueError"
    assert memory.events[-1]["data"]["outcome"] == "failed"


def test_a_tool_that_handles_its_error_is_one_with_an_error_too(handler, memory):
    def work(_: Any) -> Any:
        asked = model_that(calls("o1")).bind_tools([refund]).invoke("secret-prompt")
        careful = refund.model_copy(update={"handle_tool_error": True, "func": _refuse})
        return careful.invoke(asked.tool_calls[0])

    assert isinstance(RunnableLambda(work).invoke(QUESTION, config(handler)), ToolMessage)
    [used] = memory.of_type("agent.tool_call")
    assert used["data"]["error"] == "ToolError"


def _refuse(order: str) -> str:
    from langchain_core.tools import ToolException

    raise ToolException("secret-error")


def test_tools_belong_to_the_turn_that_asked_for_them(handler, memory):
    def work(_: Any) -> Any:
        first = model_that(calls("o1", "o2")).bind_tools([refund]).invoke("secret-prompt")
        model_that(says()).invoke("secret-prompt")
        return [refund.invoke(call) for call in first.tool_calls]

    RunnableLambda(work).invoke(QUESTION, config(handler))
    assert [event["data"]["turn_id"] for event in memory.of_type("agent.tool_call")] == ["ticket-1/turn-1"] * 2
    assert len({event["id"] for event in memory.events}) == len(memory.events)


def test_a_step_no_model_chose_is_a_tool_call_without_a_decision(handler, memory):
    RunnableLambda(lambda _: refund.invoke({"order": "secret-argument"})).invoke(QUESTION, config(handler))
    assert kinds(memory) == ["tool_call", "task"]


def test_async_agents_streams_and_tasks_side_by_side(handler, memory):
    async def work(state: Any) -> Any:
        bound = model_that(calls("o1"), says()).bind_tools([refund])
        asked = await bound.ainvoke(state["question"])
        result = await refund.ainvoke(asked.tool_calls[0])
        return [part.content async for part in bound.astream([asked, result])]

    async def all_of_them() -> None:
        agent = RunnableLambda(work, name="desk")
        runs = [agent.ainvoke(QUESTION, config(handler, f"task-{n}", taximeter_customer=f"c{n}")) for n in range(8)]
        await asyncio.gather(*runs)

    asyncio.run(all_of_them())
    for number in range(8):
        mine = [event for event in memory.events if event["data"]["task_id"] == f"task-{number}"]
        assert [event["type"].rpartition(".")[2] for event in mine] == [
            "call", "turn", "decision", "tool_call", "call", "turn", "task",
        ]  # fmt: skip
        assert {event["subject"] for event in mine} == {f"c{number}"}


def test_what_the_outcome_is_may_be_said(meter, memory):
    handler = TaximeterCallbackHandler(
        meter, customer="acme", agent="a", outcome=lambda out: "succeeded" if "done" in out["answer"] else "failed"
    )
    agent_with(model_that(says("done"))).invoke(QUESTION, config(handler, "one"))
    agent_with(model_that(says("sorry"))).invoke(QUESTION, config(handler, "two"))
    broken = TaximeterCallbackHandler(meter, customer="acme", agent="a", outcome=lambda out: out["missing"])
    agent_with(model_that(says())).invoke(QUESTION, config(broken, "three"))
    assert [event["data"]["outcome"] for event in memory.of_type("agent.task")] == ["succeeded", "failed", "failed"]


def test_a_plain_language_model_is_counted_without_tokens_it_does_not_tell(handler, memory):
    (FakeListLLM(responses=["secret-answer"]) | StrOutputParser()).invoke("secret-prompt", config(handler))
    broken = FakeStreamingListLLM(responses=["a"], error_on_chunk_number=0)
    with pytest.raises(FakeListLLMError):
        list(broken.stream("secret-prompt", config(handler)))
    assert kinds(memory)[:3] == ["call", "turn", "task"]
    call = memory.events[0]["data"]
    assert picked(call, "operation", "input_tokens", "model") == {
        "operation": "text_completion", "input_tokens": None, "model": "FakeListLLM",
    }  # fmt: skip


def test_an_agent_goes_on_where_recording_fails(caplog):
    def full(_: Any) -> None:
        raise OSError("no space left")

    handler = TaximeterCallbackHandler(Meter(source="desk", transport=full), customer="acme", agent="a")
    assert agent_with(model_that(calls("o1"), says())).invoke(QUESTION, config(handler)) == {"answer": "secret-answer"}
    assert "no space left" in caplog.text
    assert handler._runs == {}


def test_a_task_without_a_customer_says_so(meter, memory, caplog):
    agent_with(model_that(says())).invoke(QUESTION, config(TaximeterCallbackHandler(meter)))
    assert "has no customer" in caplog.text
    assert "subject" not in memory.events[0]
    assert memory.events[0]["data"]["agent"] == "support-desk"
