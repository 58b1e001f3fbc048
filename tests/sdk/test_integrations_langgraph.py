"""The callback handler with the real LangGraph: an agent's loop, a graph in a graph, one that waits for a person."""

from __future__ import annotations

import json
from typing import Any

import pytest
from langchain_core.messages import AIMessage, HumanMessage
from langchain_core.tools import tool
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import START, MessagesState, StateGraph
from langgraph.prebuilt import ToolNode, tools_condition
from langgraph.types import Command, interrupt
from taximeter import InMemoryTransport, Meter
from taximeter.integrations.langchain import TaximeterCallbackHandler

from tests.sdk.test_integrations_langchain import SECRETS, kinds, model_that, refund, says


@tool
def ask_person(question: str) -> str:
    """Ask a person."""
    return str(interrupt("secret-prompt"))


def asks_for(name: str) -> AIMessage:
    return says("secret-answer", tool_calls=[{"name": name, "args": {"order": "1", "question": "1"}, "id": "t1"}])


def graph_of(*messages: AIMessage, **options: Any) -> Any:
    """A model and its tools, round and round."""
    model = model_that(*messages).bind_tools([refund, ask_person])
    graph = StateGraph(MessagesState)
    graph.add_node("model", lambda state: {"messages": [model.invoke(state["messages"])]})
    graph.add_node("tools", ToolNode([refund, ask_person]))
    graph.add_edge(START, "model")
    graph.add_conditional_edges("model", tools_condition)
    graph.add_edge("tools", "model")
    return graph.compile(name="support-desk", **options)


@pytest.fixture
def memory():
    memory = InMemoryTransport()
    yield memory
    assert not [secret for secret in SECRETS if secret in json.dumps(memory.events)]


@pytest.fixture
def handler(memory):
    return TaximeterCallbackHandler(Meter(source="desk", transport=memory), customer="acme", agent="support@3")


QUESTION = {"messages": [HumanMessage("secret-prompt")]}


def test_an_agents_loop_is_a_task(handler, memory):
    config = {"callbacks": [handler], "metadata": {"taximeter_task_id": "ticket-1"}}
    graph_of(asks_for("refund"), says()).invoke(QUESTION, config)
    assert kinds(memory) == ["call", "turn", "decision", "tool_call", "call", "turn", "task"]
    decision, task = memory.events[2]["data"], memory.events[-1]["data"]
    assert (decision["choice"], decision["options"]) == ("refund", ["refund", "ask_person"])
    assert (task["goal"], task["outcome"], task["turns"]) == ("support-desk", "succeeded", 2)


def test_a_graph_in_a_graph_is_one_task(handler, memory):
    outer = StateGraph(MessagesState)
    outer.add_node("desk", graph_of(says()))
    outer.add_edge(START, "desk")
    outer.compile(name="office").invoke(QUESTION, {"callbacks": [handler]})
    assert kinds(memory) == ["call", "turn", "task"]
    assert memory.events[-1]["data"]["goal"] == "office"


def test_a_graph_that_waits_for_a_person_is_escalated_and_its_tool_runs_once(handler, memory):
    graph = graph_of(asks_for("ask_person"), says(), checkpointer=InMemorySaver())
    config = {"callbacks": [handler], "configurable": {"thread_id": "thread-1"}}
    graph.invoke(QUESTION, config)
    assert kinds(memory) == ["call", "turn", "decision", "task"]
    assert memory.events[-1]["data"]["outcome"] == "escalated"
    memory.events.clear()
    graph.invoke(Command(resume="secret-answer"), config)
    assert kinds(memory) == ["tool_call", "call", "turn", "task"]
    assert memory.events[0]["data"].get("error") is None
    assert memory.events[-1]["data"]["outcome"] == "succeeded"
    assert {event["data"]["conversation_id"] for event in memory.events} == {"thread-1"}


def test_in_a_tasks_block_both_halves_are_one_task(handler, memory):
    graph = graph_of(asks_for("ask_person"), says(), checkpointer=InMemorySaver())
    config = {"callbacks": [handler], "configurable": {"thread_id": "thread-1"}}
    with handler._meter.task("resolve", customer="acme", agent="support@3", task_id="ticket-1") as task:
        graph.invoke(QUESTION, config)
        graph.invoke(Command(resume="secret-answer"), config)
        task.succeed()
    assert kinds(memory) == ["call", "turn", "decision", "tool_call", "call", "turn", "task"]
    assert {event["data"]["task_id"] for event in memory.events} == {"ticket-1"}
