"""LangChain and LangGraph: a callback handler that records what an agent does.

handler = TaximeterCallbackHandler(meter, customer="acme", agent="support@3")
agent.invoke({"messages": messages}, config={"callbacks": [handler]})
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from langchain_core.callbacks import BaseCallbackHandler

from taximeter.clocks import Stopwatch
from taximeter.context import current_task, current_turn
from taximeter.events import TOOL_CALL
from taximeter.identity import event_id
from taximeter.integrations import langchain_answers as answers
from taximeter.integrations.model_calls import ModelCall, Named, asked
from taximeter.meter import Meter
from taximeter.task import Task
from taximeter.turn import Turn

logger = logging.getLogger("taximeter")

#: What an invocation may say in `config["metadata"]`, before what the handler was made with.
CUSTOMER, AGENT, TASK_ID, GOAL = "taximeter_customer", "taximeter_agent", "taximeter_task_id", "taximeter_goal"
SUBSCRIPTION = "taximeter_subscription"
_CONVERSATIONS = ("conversation_id", "thread_id", "session_id")


@dataclass
class Work:
    """What an outermost run and all within it belong to. `turn` is the caller's, in whose block it was begun."""

    task: Task
    turn: Turn | None
    is_owned: bool
    #: Whether LangGraph has stopped it to wait for a person.
    is_interrupted: bool = False
    #: The turn that answered last, and the turns by the tool calls they asked for, with the tools they could choose.
    last_turn: Turn | None = None
    offered: tuple[str, ...] = ()
    asked: dict[str, tuple[Turn, tuple[str, ...]]] = field(default_factory=dict)


@dataclass
class ToolRun:
    """A tool that runs: what it is called, and the decision to call it."""

    tool: str
    call_id: str | None
    turn: Turn | None
    decision_id: str | None
    stopwatch: Stopwatch


@dataclass
class Run:
    """A run of LangChain's that has begun."""

    work: Work | None
    is_root: bool = False
    call: ModelCall | None = None
    offered: tuple[str, ...] = ()
    tool: ToolRun | None = None


class TaximeterCallbackHandler(BaseCallbackHandler):
    """Records runs: the outermost chain or graph is a task, each answer of a model a turn with its inference call,
    each tool that runs a decision and a tool call.

    In the block of a `meter.task` no task is made: all belongs to that one. A model that is called outside of chains
    and tasks is an inference call that stands alone.

    A chain that ends is `succeeded`, one that raises `failed`, one whose stream is left `cancelled`, one that
    LangGraph interrupts for a person `escalated`. `outcome` may know better: it is given what the outermost chain
    returned, and names the outcome. `customer` and `agent` are names, or functions that tell them when a run begins;
    `config["metadata"]` may say `taximeter_customer`, `taximeter_agent`, `taximeter_task_id`, `taximeter_goal` and
    `taximeter_subscription`.
    One handler serves any number of runs side by side.
    """

    #: Not in another thread: order is kept, and recording takes microseconds.
    run_inline = True

    def __init__(
        self,
        meter: Meter,
        *,
        customer: Named = None,
        agent: Named = None,
        goal: str | None = None,
        outcome: Callable[[Any], str] | None = None,
    ) -> None:
        self._meter = meter
        self._customer = customer
        self._agent = agent
        self._goal = goal
        self._outcome = outcome
        self._runs: dict[UUID, Run] = {}
        self._lock = threading.Lock()

    # Chains

    def on_chain_start(
        self, serialized: Any, inputs: Any, *, run_id: UUID, parent_run_id: UUID | None = None, **said: Any
    ) -> None:
        above = self._above(parent_run_id)
        if above is not None:
            self._begin(run_id, Run(above.work))
        else:
            self._begin(run_id, Run(self._new_work(run_id, answers.name_of(serialized, said), said), is_root=True))

    def on_chain_end(self, outputs: Any, *, run_id: UUID, **said: Any) -> None:
        run = self._end(run_id)
        if run is not None and run.is_root and run.work is not None and run.work.is_owned:
            task = run.work.task
            if task.outcome is None and not task.closed:
                task.end(self._outcome_of(outputs, run.work))
            task.close()

    def on_chain_error(self, error: BaseException, *, run_id: UUID, **said: Any) -> None:
        run = self._end(run_id)
        if run is None or run.work is None:
            return
        work, task = run.work, run.work.task
        work.is_interrupted = work.is_interrupted or _is_named(error, "GraphInterrupt")
        if run.is_root and work.is_owned:
            if work.is_interrupted and task.outcome is None and not task.closed:
                task.escalate()
            task.__exit__(type(error), error, None)

    # Models

    def on_chat_model_start(
        self, serialized: Any, messages: Any, *, run_id: UUID, parent_run_id: UUID | None = None, **said: Any
    ) -> None:
        self._begin_call(serialized, run_id, parent_run_id, said)

    def on_llm_start(
        self, serialized: Any, prompts: Any, *, run_id: UUID, parent_run_id: UUID | None = None, **said: Any
    ) -> None:
        self._begin_call(serialized, run_id, parent_run_id, {**said, "operation": "text_completion"})

    def on_llm_end(self, response: Any, *, run_id: UUID, **said: Any) -> None:
        run = self._end(run_id)
        if run is None or run.call is None:
            return
        reading = answers.reading_of(response)
        run.call.answered(reading)
        if run.work is not None and run.call.turn is not None:
            run.work.last_turn, run.work.offered = run.call.turn, run.offered
            for _, call_id in reading.tools:
                if call_id:
                    run.work.asked[call_id] = (run.call.turn, run.offered)

    def on_llm_error(self, error: BaseException, *, run_id: UUID, **said: Any) -> None:
        run = self._end(run_id)
        if run is not None and run.call is not None:
            run.call.failed(error)

    # Tools

    def on_tool_start(
        self, serialized: Any, input_str: str, *, run_id: UUID, parent_run_id: UUID | None = None, **said: Any
    ) -> None:
        above = self._above(parent_run_id)
        work = above.work if above is not None else self._callers_work()
        if work is None or work.task.closed:
            self._begin(run_id, Run(work))
            return
        tool, call_id = answers.name_of(serialized, said), said.get("tool_call_id")
        turn, options = work.asked.pop(str(call_id), (work.turn or work.last_turn, work.offered))
        decision = None
        if turn is not None:
            more = {"tool_call_id": call_id}
            decision = turn.decision("tool", choice=tool, options=options, **more)
        self._begin(run_id, Run(work, tool=ToolRun(tool, call_id, turn, decision, self._meter.stopwatch())))

    def on_tool_end(self, output: Any, *, run_id: UUID, **said: Any) -> None:
        # A tool that handles its own errors returns a message of that status.
        self._end_tool(run_id, "ToolError" if getattr(output, "status", None) == "error" else None)

    def on_tool_error(self, error: BaseException, *, run_id: UUID, **said: Any) -> None:
        if _is_named(error, "GraphInterrupt"):  # not run yet: it waits for a person
            run = self._end(run_id)
            if run is not None and run.work is not None:
                run.work.is_interrupted = True
        else:
            self._end_tool(run_id, None if _is_named(error, "GraphBubbleUp") else type(error).__name__)

    # What they share

    def _begin(self, run_id: UUID, run: Run) -> None:
        with self._lock:
            self._runs[run_id] = run

    def _end(self, run_id: UUID) -> Run | None:
        with self._lock:
            return self._runs.pop(run_id, None)

    def _above(self, parent_run_id: UUID | None) -> Run | None:
        with self._lock:
            return None if parent_run_id is None else self._runs.get(parent_run_id)

    def _callers_work(self) -> Work | None:
        """The task in whose block an outermost run was begun."""
        task = current_task()
        return None if task is None else Work(task, current_turn(), is_owned=False)

    def _new_work(self, run_id: UUID, name: str, said: Mapping[str, Any]) -> Work:
        callers = self._callers_work()
        if callers is not None:
            return callers
        metadata: Mapping[str, Any] = said.get("metadata") or {}
        customer = metadata.get(CUSTOMER) or asked(self._customer)
        if not customer:
            logger.warning("a task of %s has no customer: give the handler one, or metadata[%r]", name, CUSTOMER)
        conversation = next((str(metadata[key]) for key in _CONVERSATIONS if metadata.get(key)), None)
        task = self._meter.task(
            str(metadata.get(GOAL) or self._goal or name),
            customer=str(customer or ""),
            agent=str(metadata.get(AGENT) or asked(self._agent) or name),
            task_id=str(metadata.get(TASK_ID) or run_id),
            conversation_id=conversation,
            subscription=str(metadata[SUBSCRIPTION]) if metadata.get(SUBSCRIPTION) else None,
        )
        return Work(task, None, is_owned=True)

    def _outcome_of(self, outputs: Any, work: Work) -> str:
        if self._outcome is not None:
            try:
                return self._outcome(outputs)
            except Exception:  # success is said, never assumed
                logger.exception("the outcome of a task could not be told")
                return "failed"
        if work.is_interrupted:
            return "escalated"
        with self._lock:  # a stream that its reader leaves ends like any other, but for the model that still answers
            is_left = any(run.work is work and run.call is not None for run in self._runs.values())
        return "cancelled" if is_left else "succeeded"

    def _begin_call(self, serialized: Any, run_id: UUID, parent_run_id: UUID | None, said: dict[str, Any]) -> None:
        above = self._above(parent_run_id)
        work = above.work if above is not None else self._callers_work()
        metadata = said.get("metadata") or {}
        call = ModelCall(
            self._meter,
            model=answers.model_of(serialized, said),
            operation=said.get("operation", "chat"),
            provider=metadata.get("ls_provider"),
            customer=metadata.get(CUSTOMER) or self._customer,
            agent=metadata.get(AGENT) or self._agent,
            task=work.task if work is not None else None,
            turn=work.turn if work is not None else None,
        )
        self._begin(run_id, Run(work, call=call, offered=answers.tools_offered(said)))

    def _end_tool(self, run_id: UUID, error: str | None) -> None:
        run = self._end(run_id)
        if run is None or run.tool is None or run.work is None or run.work.task.closed:
            return
        tool, task = run.tool, run.work.task
        now, duration_ms = tool.stopwatch.read()
        data: dict[str, Any] = {"error": error, "duration_ms": duration_ms, "started_at": tool.stopwatch.started_at}
        if tool.turn is not None:
            more = {**data, "tool_call_id": tool.call_id}
            tool.turn.tool_call(tool.tool, decision_id=tool.decision_id, **more)
        else:  # no model chose it: a chain's own step
            task.record(TOOL_CALL, event_id(task.task_id, "tool", str(run_id)), now, {"tool": tool.tool, **data})


def _is_named(error: BaseException, name: str) -> bool:
    """Whether `error` is of LangGraph's class `name`, with which it leaves a node on purpose."""
    return any(kind.__name__ == name for kind in type(error).__mro__)
