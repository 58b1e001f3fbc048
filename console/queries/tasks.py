"""A task as a tree: its turns, and in each its decisions, tool calls and inference calls."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal

from kernel.money import decimal_from
from metering.facade import EventQuestion, EventView, list_events

#: More events than this of one task are not shown.
MOST_EVENTS = 2_000

TASK, TURN, DECISION = "agent.task", "agent.turn", "agent.decision"
TOOL_CALL, INFERENCE_CALL = "agent.tool_call", "inference.call"

_KINDS = {
    TASK: "Task",
    TURN: "Turn",
    DECISION: "Decision",
    TOOL_CALL: "Tool call",
    INFERENCE_CALL: "Inference call",
}

#: What comes first of what happened at the same instant: the model answers, a choice is made, a tool runs.
_ORDER = ("Inference call", "Decision", "Tool call")


@dataclass(slots=True)
class Node:
    """A piece of work with what happened in it. `event` is None where only parts of it were recorded."""

    kind: str
    label: str
    event: EventView | None
    time: datetime
    children: list[Node] = field(default_factory=list)

    def total(self, name: str) -> Decimal:
        """The sum of a number over this piece's inference calls: leaves are counted, parents summarize."""
        own = _number(self.event, name) if self.event and self.event.type == INFERENCE_CALL else Decimal(0)
        return own + sum((child.total(name) for child in self.children), Decimal(0))

    @property
    def input_tokens(self) -> Decimal:
        return self.total("input_tokens")

    @property
    def output_tokens(self) -> Decimal:
        return self.total("output_tokens")

    @property
    def compute_seconds(self) -> Decimal:
        return self.total("compute_seconds")

    @property
    def cost(self) -> Decimal:
        return self.total("cost")

    @property
    def data(self) -> dict[str, object]:
        return self.event.data if self.event else {}


@dataclass(frozen=True, slots=True)
class TaskTrace:
    """All that is known of a task. `end` is the event that says how it ended, where it has."""

    task_id: str
    end: EventView | None
    root: Node
    events: int
    is_cut: bool
    agent: str
    customer: str
    currency: str

    def rows(self) -> Iterator[tuple[int, Node]]:
        """The tree from top to bottom: depth and node, the task itself left out."""
        yield from _walk(self.root, 0)


def task_trace(*, organization_id: int, task_id: str) -> TaskTrace | None:
    """The tree of one task's events in the order of their times; None where nothing names the task."""
    question = EventQuestion(organization_id=organization_id, data={"task_id": task_id})
    found, following = list_events(question, limit=MOST_EVENTS)
    if not found:
        return None
    events = [event for event in reversed(found) if not event.voided]
    end = next((event for event in events if event.type == TASK), None)
    start = min((event.time for event in found), default=found[0].time)
    root = Node("Task", task_id, end, start)
    _grow(root, [event for event in events if event is not end])
    return TaskTrace(
        task_id=task_id,
        end=end,
        root=root,
        events=len(found),
        is_cut=following is not None,
        agent=next((name for event in events if (name := _id(event, "agent"))), ""),
        customer=next((event.customer for event in events if event.customer), ""),
        currency=next((code for event in events if (code := _id(event, "cost_currency"))), "USD"),
    )


def _grow(root: Node, events: list[EventView]) -> None:
    """Hang each event where it belongs: in its decision, else in its turn, else in the task."""
    turns: dict[str, Node] = {}
    nodes = [(event, Node(_KINDS.get(event.type, event.type), _label(event), event, event.time)) for event in events]
    decisions = {_id(event, "decision_id"): node for event, node in nodes if event.type == DECISION}
    for event, node in nodes:
        parent, turn_id = root, _id(event, "turn_id")
        if turn_id:
            if turn_id not in turns:
                turns[turn_id] = Node("Turn", f"Turn {len(turns) + 1}", None, event.time)
                root.children.append(turns[turn_id])
            parent = turns[turn_id]
        if event.type == TURN and turn_id:
            parent.event = event
            continue
        decision_id = _id(event, "decision_id")
        if event.type != DECISION and decision_id:
            parent = decisions.get(decision_id, parent)
        parent.children.append(node)
    for node in [*turns.values(), *decisions.values()]:
        node.children.sort(key=lambda child: (child.time, _ORDER.index(child.kind) if child.kind in _ORDER else 9))


def _id(event: EventView, name: str) -> str:
    value = event.data.get(name)
    return value if isinstance(value, str) else ""


def _label(event: EventView) -> str:
    name = {DECISION: "choice", TOOL_CALL: "tool", INFERENCE_CALL: "model"}.get(event.type, "")
    value = event.data.get(name)
    return str(value) if value not in (None, "") else event.id


def _walk(node: Node, depth: int) -> Iterator[tuple[int, Node]]:
    for child in node.children:
        yield depth, child
        yield from _walk(child, depth + 1)


def _number(event: EventView, name: str) -> Decimal:
    """A number in an event's data; 0 where there is none. JSON's own numbers are read by how they are written."""
    value = event.data.get(name)
    if value is None or isinstance(value, bool):
        return Decimal(0)
    try:
        return decimal_from(str(value))
    except ValueError:
        return Decimal(0)
