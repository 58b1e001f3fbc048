"""Tasks and calls counted from changes of the log, one change after the other.

The projection and the page of a single task fold with the same two functions. Taking an event back undoes what it
counted. What it said of the task (whose it is, when it began) stays known, unless its end says otherwise.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, NamedTuple
from uuid import UUID

from agents.domain.readings import DECISION, INFERENCE_CALL, TASK, TOOL_CALL, TURN, CallReading, Reading, key_of
from kernel.clock import parse_rfc3339, to_rfc3339
from kernel.money import EXACT

#: Of a task in more transactions, such as one that never ends, the page of the task shows the events of these.
MOST_TRANSACTIONS = 1_000

_COUNTED = {TURN: "turns", DECISION: "decisions", TOOL_CALL: "tool_calls", INFERENCE_CALL: "inference_calls"}


@dataclass(frozen=True, slots=True)
class Change:
    """An event that came (`sign` 1) or was taken back (-1) in the transaction `xid`."""

    sign: int
    xid: int
    identity: str
    reading: Reading


@dataclass(slots=True)
class TaskTotals:
    """What is known of a task; fields and properties are those of `agents.models.TaskSummary`.

    `said` is whose it is, as the first event said that said it.
    """

    task_id: str
    started_at: datetime
    latest_at: datetime
    is_test: bool = False
    turns: int = 0
    decisions: int = 0
    tool_calls: int = 0
    inference_calls: int = 0
    attempts: int = 1
    events: int = 0
    said: dict[str, str] = field(default_factory=dict)
    ends: dict[str, dict[str, Any]] = field(default_factory=dict)
    transactions: list[int] = field(default_factory=list)

    @property
    def end(self) -> dict[str, Any] | None:
        """What the latest event said that ended the task and was not taken back."""
        counted = [(end["xid"], identity, end) for identity, end in self.ends.items() if end["counts"] > 0]
        return max(counted, key=lambda one: one[:2])[2] if counted else None

    @property
    def customer(self) -> str | None:
        return self._known("customer")

    @property
    def agent(self) -> str | None:
        return self._known("agent")

    @property
    def agent_version(self) -> str | None:
        return self._known("agent_version")

    @property
    def goal(self) -> str | None:
        return self._known("goal")

    @property
    def outcome(self) -> str | None:
        return self.end["outcome"] if self.end else None

    @property
    def outcome_source(self) -> str | None:
        return self.end["source"] if self.end else None

    @property
    def ended_at(self) -> datetime | None:
        return parse_rfc3339(self.end["at"]).astimezone(UTC) if self.end else None

    def _known(self, name: str) -> str | None:
        value: str | None = (self.end or {}).get(name) or self.said.get(name)
        return value


class TaskEnd(NamedTuple):
    """By what ended tasks are counted: the midnight (UTC) that the day begins with; agent and outcome, "" for none."""

    day: datetime
    agent: str
    outcome: str


def end_of(totals: TaskTotals) -> TaskEnd | None:
    """None while the task goes on, and for a test: meters leave those out, too."""
    ended_at = totals.ended_at
    if ended_at is None or totals.is_test:
        return None
    day = ended_at.replace(hour=0, minute=0, second=0, microsecond=0)
    return TaskEnd(day, totals.agent or "", totals.outcome or "")


def fold_task(totals: TaskTotals | None, change: Change) -> TaskTotals:
    """`totals` (None: nothing yet) after one more change to the task that it names."""
    reading = change.reading
    assert reading.task_id is not None
    if totals is None:
        totals = TaskTotals(reading.task_id, reading.started_at, reading.time)
    totals.events += change.sign
    if not reading.is_discarded and (counted := _COUNTED.get(reading.type)):
        setattr(totals, counted, getattr(totals, counted) + change.sign)
    if reading.type == TASK:
        _fold_end(totals, change)
    if change.sign > 0:
        _learn(totals, change)
    return totals


def _learn(totals: TaskTotals, change: Change) -> None:
    """Take over what an event says of its task. Of two that differ the first counts, and the task's end before both."""
    reading = change.reading
    totals.started_at = min(totals.started_at, reading.started_at)
    totals.latest_at = max(totals.latest_at, reading.time)
    totals.attempts = max(totals.attempts, reading.attempt)
    totals.is_test = totals.is_test or reading.is_test
    for name in ("customer", "agent", "agent_version", "goal"):
        if value := getattr(reading, name):
            totals.said.setdefault(name, value)
    if change.xid not in totals.transactions[-1:] and len(totals.transactions) < MOST_TRANSACTIONS:
        totals.transactions.append(change.xid)


def _fold_end(totals: TaskTotals, change: Change) -> None:
    reading = change.reading
    # Taken back before it came: transactions are not always seen in the order in which they were committed.
    end = totals.ends.setdefault(change.identity, {"counts": 0, "xid": change.xid})
    end["counts"] += change.sign
    end |= {
        "outcome": reading.outcome,
        "source": reading.outcome_source,
        "at": to_rfc3339(reading.time),
        "customer": reading.customer,
        "agent": reading.agent,
        "agent_version": reading.agent_version,
        "goal": reading.goal,
    }
    if change.sign > 0:
        end["xid"] = change.xid
    if end["counts"] == 0:
        del totals.ends[change.identity]


@dataclass(slots=True)
class CallTotals:
    """What calls of one kind used in one hour; the fields are those of `agents.models.CallUsage`.

    `group_key` is None where groups were put together. `is_first` marks, of a task's rows of one group, that of the
    first hour with calls: by it a task is counted once.
    """

    group_key: UUID | None
    hour: datetime
    task_key: UUID | None
    customer: str | None
    agent: str | None
    provider: str
    model: str
    hardware: str
    cost_currency: str | None
    region: str = ""
    is_first: bool = False
    calls: int = 0
    input_tokens: Decimal = Decimal(0)
    cached_input_tokens: Decimal = Decimal(0)
    cache_write_tokens: Decimal = Decimal(0)
    output_tokens: Decimal = Decimal(0)
    compute_seconds: Decimal = Decimal(0)
    cost: Decimal = Decimal(0)


@dataclass(slots=True)
class CallSums:
    """What calls of one kind used in the stretch of time that starts with `begin`, whatever else tells them apart.

    `names` are what the kind is told apart by and what it has of it. `tasks` are those whose first call of one group
    was in the stretch.
    """

    kind_key: UUID
    begin: datetime
    names: dict[str, str | None]
    tasks: int = 0
    calls: int = 0
    input_tokens: Decimal = Decimal(0)
    cached_input_tokens: Decimal = Decimal(0)
    cache_write_tokens: Decimal = Decimal(0)
    output_tokens: Decimal = Decimal(0)
    compute_seconds: Decimal = Decimal(0)
    cost: Decimal = Decimal(0)


#: The numbers of a call that add up.
QUANTITIES = ("input_tokens", "cached_input_tokens", "cache_write_tokens", "output_tokens", "compute_seconds")


def call_group(reading: Reading) -> CallTotals:
    """The empty totals that a call's event adds to."""
    call = _call_of(reading)
    parts = (reading.task_id, reading.customer, reading.agent, call.provider, call.model, call.hardware)
    # Groups without a region keep the key that they had before there were regions.
    where = (call.region,) if call.region else ()
    return CallTotals(
        group_key=key_of(*parts, call.cost_currency, *where),
        hour=reading.time.astimezone(UTC).replace(minute=0, second=0, microsecond=0),
        task_key=key_of(reading.task_id) if reading.task_id else None,
        customer=reading.customer,
        agent=reading.agent,
        provider=call.provider,
        model=call.model,
        hardware=call.hardware,
        cost_currency=call.cost_currency,
        region=call.region,
    )


def sums_of(group: CallTotals, names: Sequence[str], begin: datetime) -> CallSums:
    """The empty sums that a group's calls belong to, where kinds are told apart by `names`."""
    named: dict[str, str | None] = {name: getattr(group, name) for name in names}
    return CallSums(key_of(*named.values()), begin, named)


def fold_call(totals: CallTotals | CallSums, change: Change) -> None:
    """Add a call to the totals it belongs to, or take it off."""
    call = _call_of(change.reading)
    totals.calls += change.sign
    for name in QUANTITIES:
        setattr(totals, name, EXACT.add(getattr(totals, name), change.sign * getattr(call, name)))
    totals.cost = EXACT.add(totals.cost, change.sign * (call.cost or Decimal(0)))


def fold_all(changes: Iterable[Change]) -> tuple[TaskTotals | None, list[CallTotals]]:
    """A single task from all its changes: what it comes to, and its calls."""
    totals: TaskTotals | None = None
    calls: dict[tuple[UUID, datetime], CallTotals] = {}
    for change in changes:
        totals = fold_task(totals, change)
        if change.reading.call is not None:
            group = call_group(change.reading)
            assert group.group_key is not None
            fold_call(calls.setdefault((group.group_key, group.hour), group), change)
    return totals, [group for group in calls.values() if group.calls]


def _call_of(reading: Reading) -> CallReading:
    assert reading.call is not None
    return reading.call
