"""Working a task: turn by turn, each with one call of the model, one decision and one tool."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Protocol

from taximeter import Meter, Task, Turn

from agents.runtime.errors import ModelUnavailable
from agents.runtime.model import Completion, Message, ModelClient
from agents.runtime.tools import Finish, Tool, decision_schema

logger = logging.getLogger("agents.runtime")

#: From compute seconds to the cost fields of an inference call (`cost`, `cost_currency`).
Costs = Callable[[str], Mapping[str, Any]]


class Desk(Protocol):
    """The place where one task is worked: what the agent sees and may do there, turn by turn."""

    def messages(self) -> Sequence[Message]:
        """What the model is told this turn: the input, what has been done about it, perhaps examples."""

    def tools(self) -> Sequence[Tool]:
        """What may be chosen this turn; at least one."""


@dataclass(frozen=True, slots=True)
class AgentDefinition:
    """An agent: what it is told, and its limits. `max_tokens` bounds one answer of the model."""

    key: str
    version: str
    name: str
    goal: str
    instructions: str = ""
    max_turns: int = 6
    max_tokens: int = 64

    @property
    def reference(self) -> str:
        return f"{self.key}@{self.version}"


@dataclass(frozen=True, slots=True)
class Step:
    """A turn that was taken: the tool chosen (None where the answer was cut off) and what came of it."""

    turn: int
    tool: str | None
    arguments: Mapping[str, Any]
    result: str
    completion: Completion


@dataclass(slots=True)
class TaskResult:
    """What became of a task. `compute_seconds` is the sum over its inference calls."""

    task_id: str
    outcome: str = "failed"
    steps: list[Step] = field(default_factory=list)

    @property
    def decisions(self) -> int:
        return sum(1 for step in self.steps if step.tool is not None)

    @property
    def compute_seconds(self) -> Decimal:
        return sum((Decimal(step.completion.compute_seconds or 0) for step in self.steps), Decimal(0))


def work_task(
    *,
    agent: AgentDefinition,
    desk: Desk,
    customer: str,
    task_id: str,
    model: ModelClient,
    meter: Meter,
    costs: Costs | None = None,
    on_step: Callable[[Step], None] | None = None,
) -> TaskResult:
    """Works the task to its end and records it; times are those of the meter's clock.

    A tool that raises is recorded with its error and the task goes on; at the limit of turns the task is
    failed. Raises `ModelUnavailable` having recorded nothing: the task can be worked again under its id.
    """
    result = TaskResult(task_id)
    with meter.task(agent.goal, customer=customer, agent=agent.reference, task_id=task_id) as task:
        try:
            for number in range(1, agent.max_turns + 1):
                with task.turn(initiator="agent" if number > 1 else "schedule") as turn:
                    step, finish = _take_turn(agent, desk, model, turn, number, costs)
                result.steps.append(step)
                if on_step:
                    on_step(step)
                if finish is not None:
                    _end(task, finish)
                    break
            else:
                task.fail()
        except ModelUnavailable:
            task.discard()
            raise
    result.outcome = task.outcome or "failed"
    return result


def _take_turn(
    agent: AgentDefinition, desk: Desk, model: ModelClient, turn: Turn, number: int, costs: Costs | None
) -> tuple[Step, Finish | None]:
    tools = {one.name: one for one in desk.tools()}
    told = [{"role": "system", "content": agent.instructions}] if agent.instructions else []
    completion = model.complete(
        [*told, *desk.messages()], schema=decision_schema(list(tools.values())), max_tokens=agent.max_tokens
    )
    turn.inference(
        model=completion.model,
        input_tokens=completion.input_tokens,
        output_tokens=completion.output_tokens,
        compute_seconds=completion.compute_seconds,
        **completion.measured,
        **(costs(completion.compute_seconds) if costs and completion.compute_seconds else {}),
    )
    chosen = _chosen(completion.text, tools)
    if chosen is None:
        return Step(number, None, {}, "the answer was cut off", completion), None
    name, arguments = chosen
    decision_id = turn.decision("tool", choice=name, options=list(tools))
    outcome, error, duration_ms = _run(tools[name], arguments)
    turn.tool_call(name, error=error, decision_id=decision_id, duration_ms=duration_ms)
    finish = outcome if isinstance(outcome, Finish) else None
    return Step(number, name, arguments, finish.outcome if finish else str(outcome), completion), finish


def _chosen(text: str, tools: Mapping[str, Tool]) -> tuple[str, dict[str, Any]] | None:
    """The tool and arguments of an answer; None for one that is not whole. The grammar saw to the rest."""
    try:
        answer = json.loads(text)
        name = answer.pop("tool")
    except (ValueError, KeyError, AttributeError):
        return None
    if name not in tools or set(answer) != set(tools[name].arguments):
        return None
    return name, answer


def _run(one: Tool, arguments: Mapping[str, Any]) -> tuple[str | Finish, str | None, int]:
    began = time.monotonic()
    error = None
    try:
        outcome = one.run(**arguments)
    except Exception as problem:
        logger.warning("the tool %s failed", one.name, exc_info=True)
        error = type(problem).__name__
        outcome = f"{one.name} failed: {error}"
    return outcome, error, round((time.monotonic() - began) * 1000)


def _end(task: Task, finish: Finish) -> None:
    end = {
        "succeeded": task.succeed,
        "failed": task.fail,
        "escalated": task.escalate,
        "cancelled": task.cancel,
    }[finish.outcome]
    end(source=finish.source)
