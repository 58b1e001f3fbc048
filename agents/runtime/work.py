"""Working a task: turn by turn, each with one call of the model, one decision and one tool."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, Protocol

from taximeter import Meter, Task, Turn

from agents.domain.probability import probability_of
from agents.runtime.errors import ModelUnavailable
from agents.runtime.model import Completion, Message, ModelClient
from agents.runtime.tools import Finish, Tool, decision_schema

logger = logging.getLogger("agents.runtime")

#: From a model's answer to the cost fields of an inference call (`cost`, `cost_currency`).
Costs = Callable[[Completion], Mapping[str, Any]]


class Desk(Protocol):
    """The place where one task is worked: what the agent sees and may do there, turn by turn."""

    def messages(self) -> Sequence[Message]:
        """What the model is told this turn: the input, what has been done about it, perhaps examples."""

    def tools(self) -> Sequence[Tool]:
        """What may be chosen this turn; at least one."""


@dataclass(frozen=True, slots=True)
class AgentDefinition:
    """An agent: what it is told, and its limits. `max_tokens` bounds one answer of the model.

    `max_seconds` and `max_cost` bound a task and are looked at before each turn.
    """

    key: str
    version: str
    name: str
    goal: str
    instructions: str = ""
    max_turns: int = 6
    max_tokens: int = 64
    max_seconds: int | None = None
    max_cost: Decimal | None = None

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
    """What became of a task. `compute_seconds` and `cost` are sums over its inference calls; `limit` is the one it
    ended at, where it did: `turns`, `seconds` or `cost`. `refusal` says why it was blocked."""

    task_id: str
    outcome: str = "failed"
    limit: str | None = None
    refusal: str | None = None
    cost: Decimal = Decimal(0)
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
    attempt: int = 1,
    costs: Costs | None = None,
    check: Callable[[], bool] | None = None,
    on_step: Callable[[Step], None] | None = None,
    refused: Callable[[], str | None] | None = None,
) -> TaskResult:
    """Works the task to its end and records it; times are those of the meter's clock.

    A tool that raises is recorded with its error and the task goes on. At the limit of turns or cost the task is
    failed, at that of seconds timed out. `refused` is asked before each turn: where it says why not, the task ends and
    is blocked. Where the agent says that it succeeded, `check` has the last word. Raises
    `ModelUnavailable` without an outcome: the task can be worked again, as another attempt where the meter's
    transport has events one by one.
    """
    result = TaskResult(task_id)
    with meter.task(agent.goal, customer=customer, agent=agent.reference, task_id=task_id, attempt=attempt) as task:
        try:
            while task.outcome is None:
                result.limit = _limit(agent, task, result, meter.clock)
                if result.limit is not None:
                    task.end("timed_out" if result.limit == "seconds" else "failed")
                    break
                result.refusal = refused() if refused else None
                if result.refusal is not None:
                    task.block()
                    break
                number = len(result.steps) + 1
                with task.turn(initiator="agent" if number > 1 else "schedule") as turn:
                    step, finish, cost = _take_turn(agent, desk, model, turn, number, costs)
                result.steps.append(step)
                result.cost += cost
                if finish is not None:
                    finish = _checked(finish, check)
                    task.end(finish.outcome, source=finish.source)
                if on_step:
                    on_step(step)
        except ModelUnavailable:
            task.discard()
            raise
    result.outcome = task.outcome or "failed"
    return result


def _limit(agent: AgentDefinition, task: Task, result: TaskResult, clock: Callable[[], datetime]) -> str | None:
    if len(result.steps) >= agent.max_turns:
        return "turns"
    if agent.max_seconds is not None and clock() - task.started_at >= timedelta(seconds=agent.max_seconds):
        return "seconds"
    return "cost" if agent.max_cost is not None and result.cost >= agent.max_cost else None


def _checked(finish: Finish, check: Callable[[], bool] | None) -> Finish:
    if check is None or finish.outcome != "succeeded":
        return finish
    return Finish("succeeded" if check() else "failed", source="check")


def _take_turn(
    agent: AgentDefinition, desk: Desk, model: ModelClient, turn: Turn, number: int, costs: Costs | None
) -> tuple[Step, Finish | None, Decimal]:
    tools = {one.name: one for one in desk.tools()}
    told = [{"role": "system", "content": agent.instructions}] if agent.instructions else []
    completion = model.complete(
        [*told, *desk.messages()], schema=decision_schema(list(tools.values())), max_tokens=agent.max_tokens
    )
    priced = costs(completion) if costs else {}
    turn.inference(
        model=completion.model,
        input_tokens=completion.input_tokens,
        output_tokens=completion.output_tokens,
        compute_seconds=completion.compute_seconds,
        **completion.measured,
        **priced,
    )
    cost = Decimal(priced.get("cost", 0))
    chosen = _chosen(completion.text, tools)
    if chosen is None:
        return Step(number, None, {}, "the answer was cut off", completion), None, cost
    name, arguments = chosen
    probability = probability_of(name, completion.text, completion.log_probabilities)
    decision_id = turn.decision("tool", choice=name, options=list(tools), probability=probability)
    outcome, error, duration_ms = _run(tools[name], arguments)
    turn.tool_call(name, error=error, decision_id=decision_id, duration_ms=duration_ms)
    finish = outcome if isinstance(outcome, Finish) else None
    return Step(number, name, arguments, finish.outcome if finish else str(outcome), completion), finish, cost


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
