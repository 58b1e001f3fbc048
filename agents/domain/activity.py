"""What is counted of agents' work: the standard meters, and the version of the definitions behind them.

`docs/agents.md` defines task, turn, decision, tool call and inference call. Tokens, seconds and cost are
taken from inference calls alone: leaves are counted, parents summarize.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from kernel.money import EXACT

#: Raised whenever a definition changes what is counted.
DEFINITIONS_VERSION = "2"

_NO_TESTS = {"path": "data.environment", "op": "ne", "value": "test"}
#: What an attempt did that the platform broke off.
NOT_DISCARDED = {"path": "data.discarded", "op": "ne", "value": True}


@dataclass(frozen=True, slots=True)
class StandardMeter:
    """A meter every organization starts with; `definition` is the API's JSON."""

    key: str
    name: str
    unit: str
    definition: Mapping[str, Any]


def _meter(
    key: str,
    name: str,
    unit: str,
    event_type: str,
    *dimensions: str,
    aggregation: str = "count",
    value: str | None = None,
    filters: tuple[Mapping[str, Any], ...] = (NOT_DISCARDED,),
) -> StandardMeter:
    definition: dict[str, Any] = {
        "event_type": event_type,
        "aggregation": aggregation,
        "filters": [_NO_TESTS, *filters],
        "dimensions": {name: f"data.{name}" for name in dimensions},
    }
    if value is not None:
        definition["value"] = value
    return StandardMeter(key, name, unit, definition)


def _sum_of_calls(
    key: str, name: str, unit: str, *dimensions: str, filters: tuple[Mapping[str, Any], ...] = (NOT_DISCARDED,)
) -> StandardMeter:
    return _meter(
        key,
        name,
        unit,
        "inference.call",
        "agent",
        "model",
        *dimensions,
        aggregation="sum",
        value=f"data.{key}",
        filters=filters,
    )


STANDARD_METERS: tuple[StandardMeter, ...] = (
    # A task is counted by its id: whatever records its end twice, it ended once.
    _meter(
        "tasks", "Tasks", "task", "agent.task", "agent", "outcome", aggregation="unique_count", value="data.task_id"
    ),
    _meter("turns", "Turns", "turn", "agent.turn", "agent"),
    _meter("decisions", "Decisions", "decision", "agent.decision", "agent", "kind"),
    _meter("tool_calls", "Tool calls", "call", "agent.tool_call", "agent", "tool"),
    _meter(
        "succeeded_tasks",
        "Succeeded tasks",
        "task",
        "agent.task",
        "agent",
        aggregation="unique_count",
        value="data.task_id",
        filters=(NOT_DISCARDED, {"path": "data.outcome", "op": "eq", "value": "succeeded"}),
    ),
    _sum_of_calls("compute_seconds", "Compute seconds", "s", "hardware"),
    _sum_of_calls("input_tokens", "Input tokens", "token"),
    _sum_of_calls("output_tokens", "Output tokens", "token"),
    # What was discarded cost the vendor all the same.
    _sum_of_calls("cost", "Cost", "USD", filters=()),
)


def compute_cost(compute_seconds: Decimal, *, rate: Decimal) -> Decimal:
    """What `compute_seconds` cost the vendor at `rate` per second, exactly, in the currency of the rate."""
    return EXACT.multiply(compute_seconds, rate)
