"""What agents did, and what it cost the vendor."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentVersion:
    """One version of an agent."""

    version: str
    definition: dict[str, Any] | None
    created_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Agent:
    """A deployed agent with its versions."""

    id: str
    key: str
    name: str
    description: str
    versions: tuple[AgentVersion, ...]
    created_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """What a task cost the vendor. With any `unpriced_calls`, the amount is not all."""

    amount: Decimal
    currency: str
    unpriced_calls: int
    other_currencies: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class CostRow:
    """What calls of models used and cost, on a day and in a group where it was asked so."""

    calls: int
    input_tokens: Decimal
    cached_input_tokens: Decimal
    cache_write_tokens: Decimal
    output_tokens: Decimal
    compute_seconds: Decimal
    cost: Cost
    day: datetime | None = None
    group: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class CostReport:
    """What calls of models cost, in `start` ≤ t < `end`."""

    start: datetime = field(metadata={"json": "from"})
    end: datetime = field(metadata={"json": "to"})
    rows: tuple[CostRow, ...] = field(metadata={"json": "data"})


@dataclass(frozen=True, slots=True, kw_only=True)
class CostRate:
    """What a provider's model, or a second of computing, costs from `effective_from` on."""

    id: str
    scope: str
    provider: str | None
    model: str | None
    hardware: str | None
    currency: str
    input_per_million: Decimal | None
    cached_input_per_million: Decimal | None
    cache_write_per_million: Decimal | None
    output_per_million: Decimal | None
    compute_second: Decimal | None
    effective_from: datetime
    source: str
    created_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskSummary:
    """A task with what it took. `charge` and `margin` are None where they cannot be told."""

    id: str
    customer: str | None
    agent: str | None
    agent_version: str | None
    goal: str | None
    is_test: bool
    started_at: datetime
    ended_at: datetime | None
    outcome: str | None
    outcome_source: str | None
    attempts: int
    turns: int
    decisions: int
    tool_calls: int
    inference_calls: int
    events: int
    input_tokens: Decimal
    cached_input_tokens: Decimal
    output_tokens: Decimal
    compute_seconds: Decimal
    cost: Cost
    charge: dict[str, Any] | None
    margin: dict[str, Any] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskTrace(TaskSummary):
    """A task with its `tree`: turns and, in each, inference calls, decisions and tool calls."""

    outcomes: tuple[dict[str, Any], ...]
    is_cut: bool
    run: dict[str, Any] | None
    tree: tuple[dict[str, Any], ...]
