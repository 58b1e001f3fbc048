"""A task as a tree: its turns, and in each its decisions, tool calls and inference calls. Exact, from the log."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any

from agents.domain.costs import Costs, RateTable, cost_of_calls
from agents.domain.readings import DECISION, INFERENCE_CALL, TASK, TOOL_CALL, TURN, Reading, key_of
from agents.domain.summaries import CallTotals, Change, TaskTotals, call_group, fold_all, fold_call
from agents.models import CallUsage, TaskSummary
from agents.queries.changes import changes_of
from agents.queries.rates import rate_table
from agents.queries.tasks import TaskView, projected_to, view_of
from kernel.errors import NotFoundError
from kernel.money import EXACT
from metering.facade import EventView, events_of_task

#: More events than this of one task are not shown.
MOST_EVENTS = 2_000

KINDS = {TASK: "task", TURN: "turn", DECISION: "decision", TOOL_CALL: "tool_call", INFERENCE_CALL: "inference_call"}

#: What comes first of what happened at the same instant: the model answers, a choice is made, a tool runs.
_ORDER = ("inference_call", "decision", "tool_call")
_DIGITS = re.compile("[0-9]+")


class TaskNotFound(NotFoundError):
    code = "task_not_found"


@dataclass(slots=True)
class Node:
    """A piece of work with what happened in it. `event` is None where only parts of it were recorded.

    Numbers are sums over the inference calls in it: leaves are counted, parents summarize.
    """

    kind: str
    label: str
    event: EventView | None
    time: datetime
    children: list[Node] = field(default_factory=list)
    input_tokens: Decimal = Decimal(0)
    output_tokens: Decimal = Decimal(0)
    compute_seconds: Decimal = Decimal(0)
    costs: Costs = field(default_factory=Costs)

    @property
    def data(self) -> dict[str, Any]:
        return self.event.data if self.event else {}

    @property
    def kind_name(self) -> str:
        return self.kind.replace("_", " ").capitalize()

    @property
    def duration_ms(self) -> int | None:
        value = self.data.get("duration_ms")
        return value if isinstance(value, int) and not isinstance(value, bool) else None

    @property
    def has_calls(self) -> bool:
        """Whether a model was called in it."""
        return self.kind == "inference_call" or any(child.has_calls for child in self.children)

    @property
    def is_discarded(self) -> bool:
        return self.data.get("discarded") is True

    def sum_up(self) -> None:
        """Add what the children come to, theirs first."""
        for child in self.children:
            child.sum_up()
            self.costs.add(child.costs)
            for name in ("input_tokens", "output_tokens", "compute_seconds"):
                setattr(self, name, EXACT.add(getattr(self, name), getattr(child, name)))


@dataclass(frozen=True, slots=True)
class TaskTrace:
    """All that is known of a task. `end` is the event that says how it ended, where it has, and `ends` are all that
    ever said so; `events` is how many of its events were read, those taken back among them, and `is_cut` whether
    there are more."""

    task: TaskView
    root: Node
    end: EventView | None
    ends: tuple[EventView, ...]
    events: int
    is_cut: bool
    transactions: tuple[int, ...]
    since: int

    def rows(self) -> Iterator[tuple[int, Node]]:
        """The tree from top to bottom: depth and node, the task itself left out."""
        yield from _walk(self.root, 0)


def task_trace(*, organization_id: int, task_id: str) -> TaskTrace:
    """The tree of one task and what it comes to, with every event that ingest has answered for.

    Of a task with more than `MOST_EVENTS` events the tree holds the first, and the sums are the projection's.
    Raises `TaskNotFound`.
    """
    since = projected_to(organization_id)
    stored = TaskSummary.objects.filter(organization_id=organization_id, task_key=key_of(task_id)).first()
    transactions = tuple(stored.transactions) if stored else ()

    def read(limit: int, types: tuple[str, ...] | None = None) -> tuple[list[tuple[EventView, int]], bool]:
        return events_of_task(
            organization_id=organization_id,
            task_id=task_id,
            transactions=transactions,
            since=since,
            limit=limit,
            types=types,
        )

    found, is_cut = read(MOST_EVENTS)
    totals, calls, readings = _counted(found)
    if totals is None:
        raise TaskNotFound(f"No event names the task {task_id!r}")
    shown: TaskSummary | TaskTotals = totals
    used: list[CallTotals | CallUsage] = list(calls)
    ends = [one for one in found if one[0].type == TASK]
    if is_cut and stored is not None:
        shown, used = stored, list(CallUsage.objects.filter(organization_id=organization_id, task_key=stored.task_key))
        ends, _ = read(MOST_EVENTS, (TASK,))
    ends.sort(key=lambda one: (one[1], one[0].identity))
    end = next((event for event, _ in reversed(ends) if not event.voided), None)
    table = rate_table(organization_id=organization_id, models={call.model for call in (*calls, *used)})
    root = Node("task", task_id, end, totals.started_at)
    _grow(root, [event for event, _ in found if event.type != TASK and not event.voided], table, readings)
    root.sum_up()
    view = view_of(shown, used, table=table)
    return TaskTrace(view, root, end, tuple(event for event, _ in ends), len(found), is_cut, transactions, since)


def _counted(
    found: list[tuple[EventView, int]],
) -> tuple[TaskTotals | None, list[CallTotals], dict[str, Reading]]:
    """What events of one task come to, in the order in which the projection takes them in."""
    changes = [change for event, xid in found for change in changes_of(event, xid)]
    changes.sort(key=lambda change: (change.xid, change.identity, -change.sign))
    totals, calls = fold_all(changes)
    return totals, calls, {change.identity: change.reading for change in changes}


def _grow(root: Node, events: list[EventView], table: RateTable, readings: dict[str, Reading]) -> None:
    """Hang each event where it belongs: in its decision, its turn, what it names as its parent, else in the task."""
    nodes = [(event, _leaf(event, readings[event.identity], table)) for event in events]
    turns: dict[str, Node] = {}
    for event, node in nodes:
        if event.type == TURN:
            turns.setdefault(_text(event, "turn_id") or event.id, node)
    known = {event.id: node for event, node in nodes}
    decisions = {_text(event, "decision_id"): node for event, node in nodes if event.type == DECISION}
    for event, node in nodes:
        parent = _parent(event, turns, decisions, known, root)
        parent.children.append(node)
    _name_turns(root)


def _leaf(event: EventView, reading: Reading, table: RateTable) -> Node:
    node = Node(KINDS.get(event.type, event.type), _label(event), event, reading.started_at)
    if event.type != TURN:
        node.time = event.time
    if reading.call is not None:
        group: CallTotals = call_group(reading)
        fold_call(group, Change(1, 0, event.identity, reading))
        node.input_tokens, node.output_tokens = group.input_tokens, group.output_tokens
        node.compute_seconds, node.costs = group.compute_seconds, cost_of_calls(group, table)
    return node


def _parent(
    event: EventView, turns: dict[str, Node], decisions: dict[str, Node], known: dict[str, Node], root: Node
) -> Node:
    turn_id, decision_id = _text(event, "turn_id"), _text(event, "decision_id")
    if decision_id and event.type not in {DECISION, TURN} and decision_id in decisions:
        return decisions[decision_id]
    if event.type != TURN and turn_id:
        if turn_id not in turns:
            turns[turn_id] = Node("turn", "", None, event.time)
            root.children.append(turns[turn_id])
        return turns[turn_id]
    above = known.get(_text(event, "parent_id"))
    # What is its own parent, or a decision's, would hang in the air.
    return (
        above
        if above is not None and above.kind == "turn" and above.event is not event and event.type != TURN
        else root
    )


def _name_turns(root: Node) -> None:
    _sort(root)
    number = 0
    for child in root.children:
        if child.kind == "turn":
            number += 1
            child.label = f"Turn {number}"


def _sort(node: Node) -> None:
    node.children.sort(key=_place)
    for child in node.children:
        _sort(child)


def _place(node: Node) -> tuple[Any, ...]:
    """By time; at one instant by what leads to what, and then by the numbers in the events' ids."""
    name = node.event.id if node.event else ""
    numbers = tuple((len(digits), digits) for digits in _DIGITS.findall(name))
    return node.time, _ORDER.index(node.kind) if node.kind in _ORDER else len(_ORDER), numbers, name


def _text(event: EventView, name: str) -> str:
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
