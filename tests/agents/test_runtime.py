"""An agent's turns at a real model: what is recorded, and where a task ends. Structure only: the weights are random."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Annotated, Any, Literal

import pytest
from taximeter import InMemoryTransport, Meter

from agents.runtime.clock import ElapsedClock
from agents.runtime.errors import ModelRefused, ModelUnavailable, ToolInvalid
from agents.runtime.model import HttpModelClient
from agents.runtime.tools import Between, Finish, MaxLength, Tool, decision_schema, tool
from agents.runtime.work import AgentDefinition, Step, work_task
from tests.inference.engine_process import MODELS, SECRET, Engine, start_engine

START = datetime(2026, 10, 31, 23, 59, 59, tzinfo=UTC)
AGENT = AgentDefinition(key="clerk", version="2", name="Clerk", goal="sort-mail", max_turns=4, max_tokens=40)


@pytest.fixture(scope="module")
def engine() -> Iterator[Engine]:
    engine = start_engine(MODELS / "tiny-llama.gguf")
    yield engine
    engine.stop()


@pytest.fixture
def model(engine) -> HttpModelClient:
    return HttpModelClient(socket=str(engine.socket), api_key=SECRET)


class MailDesk:
    """Sort a letter, then stamp it; `sort` may be made to fail."""

    def __init__(self, outcome: Any = "succeeded", *, broken: bool = False) -> None:
        self.sorted_to: list[str] = []
        self._outcome = outcome
        self._broken = broken

    def sort(self, tray: Literal["bills", "letters"]) -> str:
        """Put it in a tray."""
        if self._broken:
            raise RuntimeError("the tray is stuck")
        self.sorted_to.append(tray)
        return tray

    def stamp(self, day: Annotated[int, Between(1, 9)], urgent: bool) -> Finish:
        """Stamp it."""
        assert 1 <= day <= 9
        assert isinstance(urgent, bool)
        return Finish(self._outcome, source="check")

    def messages(self):
        return [{"role": "user", "content": "A letter"}]

    def tools(self) -> Sequence[Tool]:
        return [tool(self.stamp if self.sorted_to else self.sort)]


def work(model, desk, **more):
    memory = InMemoryTransport()
    clock = more.pop("clock", lambda: START)
    meter = Meter(source="test", transport=memory, clock=clock, sdk=None)
    result = work_task(agent=AGENT, desk=desk, customer="acme", task_id="letter-1", model=model, meter=meter, **more)
    return result, memory


def test_each_turn_is_a_call_a_decision_and_a_tool_call(model):
    desk = MailDesk()
    steps: list[Step] = []
    result, memory = work(model, desk, on_step=steps.append)
    assert [event["id"] for event in memory.events] == [
        "letter-1/turn-1/inference-1",
        "letter-1/turn-1/decision-1",
        "letter-1/turn-1/tool-call-1",
        "letter-1/turn-1",
        "letter-1/turn-2/inference-1",
        "letter-1/turn-2/decision-1",
        "letter-1/turn-2/tool-call-1",
        "letter-1/turn-2",
        "letter-1/task",
    ]
    assert result.outcome == "succeeded"
    assert [step.tool for step in steps] == ["sort", "stamp"]
    assert steps[0].arguments["tray"] == desk.sorted_to[0]
    (task,) = memory.of_type("agent.task")
    assert task["subject"] == "acme"
    assert {name: task["data"][name] for name in ("outcome", "outcome_source", "turns", "decisions")} == {
        "outcome": "succeeded",
        "outcome_source": "check",
        "turns": 2,
        "decisions": 2,
    }
    assert (task["data"]["agent"], task["data"]["agent_version"]) == ("clerk", "2")


def test_calls_carry_what_the_engine_measured_and_what_it_cost(model):
    def costs(answer):
        return {"cost": Decimal(answer.compute_seconds) * 2, "cost_currency": "USD"}

    result, memory = work(model, MailDesk(), costs=costs)
    calls = [event["data"] for event in memory.of_type("inference.call")]
    assert result.compute_seconds == sum(Decimal(call["compute_seconds"]) for call in calls) > 0
    for call in calls:
        assert Decimal(call["cost"]) == Decimal(call["compute_seconds"]) * 2
        assert call["model"] == "tiny-random-llama"
        assert call["provider"] == "taximeter"
        assert call["input_tokens"] > 0
        assert call["output_tokens"] > 0
        assert len(call["model_digest"]) == 64
    assert not any({"text", "content", "messages", "arguments"} & event["data"].keys() for event in memory.events)


def test_the_decision_names_what_there_was_to_choose_from(model):
    class TwoWays(MailDesk):
        def drop(self) -> Finish:
            """Throw it away."""
            return Finish("cancelled")

        def tools(self):
            return [*super().tools(), tool(self.drop)]

    result, memory = work(model, TwoWays())
    decisions = [event["data"] for event in memory.of_type("agent.decision")]
    assert decisions[0]["options"] == ["sort", "drop"]
    assert decisions[0]["choice"] in {"sort", "drop"}
    assert result.outcome in {"succeeded", "cancelled"}
    assert memory.of_type("agent.tool_call")[0]["data"]["decision_id"] == decisions[0]["decision_id"]


@pytest.mark.parametrize("outcome", ["succeeded", "failed", "escalated", "cancelled"])
def test_a_tool_ends_the_task_with_its_outcome(model, outcome):
    result, memory = work(model, MailDesk(outcome))
    assert result.outcome == outcome
    assert memory.of_type("agent.task")[0]["data"]["outcome"] == outcome


def test_a_tool_that_raises_is_recorded_and_the_limit_of_turns_ends_the_task(model):
    result, memory = work(model, MailDesk(broken=True))
    assert [event["data"]["error"] for event in memory.of_type("agent.tool_call")] == ["RuntimeError"] * 4
    assert len(memory.of_type("agent.turn")) == 4
    assert result.outcome == "failed"


def test_an_answer_that_is_cut_off_is_a_turn_without_a_decision(model):
    short = AgentDefinition(key="clerk", version="2", name="Clerk", goal="sort-mail", max_turns=2, max_tokens=3)
    memory = InMemoryTransport()
    meter = Meter(source="test", transport=memory)
    result = work_task(agent=short, desk=MailDesk(), customer="acme", task_id="x", model=model, meter=meter)
    assert [event["type"] for event in memory.events] == ["inference.call", "agent.turn"] * 2 + ["agent.task"]
    assert {event["data"]["finish_reason"] for event in memory.of_type("inference.call")} == {"length"}
    assert (result.outcome, result.decisions) == ("failed", 0)


def test_work_is_dated_by_the_clock_it_is_given(model):
    ticks = iter(range(100))
    _, memory = work(model, MailDesk(), clock=ElapsedClock(START, elapsed=lambda: float(next(ticks))))
    task = memory.of_type("agent.task")[0]
    assert task["data"]["started_at"] == "2026-11-01T00:00:00Z"
    assert memory.events[0]["time"] == "2026-11-01T00:00:02Z"
    assert task["time"] > memory.events[-2]["time"]


def test_without_the_model_nothing_is_recorded_and_the_task_can_be_worked_later(model, tmp_path):
    gone = HttpModelClient(socket=str(tmp_path / "no.sock"), api_key=SECRET, model="m", sleep=lambda _: None)
    memory = InMemoryTransport()
    meter = Meter(source="test", transport=memory)
    arguments: dict[str, Any] = {"agent": AGENT, "customer": "acme", "task_id": "letter-1", "meter": meter}
    with pytest.raises(ModelUnavailable):
        work_task(desk=MailDesk(), model=gone, **arguments)
    assert memory.events == []
    assert work_task(desk=MailDesk(), model=model, **arguments).outcome == "succeeded"


def test_a_request_the_server_refuses_fails_the_task(engine):
    wrong = HttpModelClient(socket=str(engine.socket), api_key=SECRET, model="no-such-model")
    memory = InMemoryTransport()
    with pytest.raises(ModelRefused, match="no-such-model"):
        work_task(
            agent=AGENT,
            desk=MailDesk(),
            customer="acme",
            task_id="x",
            model=wrong,
            meter=Meter(source="test", transport=memory),
        )
    assert [event["data"].get("outcome") for event in memory.events] == ["failed"]


def test_a_tool_is_described_by_its_annotations():
    def book(
        city: Annotated[str, MaxLength(20)], seats: Annotated[int, Between(1, 5)], kind: Literal["a", "b"], meal: bool
    ) -> str:
        """Book a trip.

        More words that the model is not told.
        """
        return f"{city}{seats}{kind}{meal}"

    made = tool(book)
    assert (made.name, made.description) == ("book", "Book a trip.")
    assert decision_schema([made]) == {
        "type": "object",
        "properties": {
            "tool": {"const": "book"},
            "city": {"type": "string", "maxLength": 20},
            "seats": {"type": "integer", "minimum": 1, "maximum": 5},
            "kind": {"enum": ["a", "b"]},
            "meal": {"type": "boolean"},
        },
        "required": ["tool", "city", "seats", "kind", "meal"],
        "additionalProperties": False,
    }


def test_a_tool_without_types_or_with_types_no_model_can_be_told_is_refused():
    def untyped(city) -> str:
        return str(city)

    def strange(when: datetime) -> str:
        return str(when)

    def clashing(tool: str) -> str:
        return tool

    for function in (untyped, strange, clashing):
        with pytest.raises(ToolInvalid):
            tool(function)
