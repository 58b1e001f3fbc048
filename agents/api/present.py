"""Tasks, agents and costs as the API shows them."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from agents.domain.charges import Charge
from agents.domain.costs import Costs
from agents.domain.readings import DECISION, INFERENCE_CALL, TASK, TOOL_CALL, TURN
from agents.models import Agent, AgentVersion, CostRate, Task
from agents.queries.costs import CostRow
from agents.queries.tasks import TaskView
from agents.queries.traces import Node, TaskTrace
from kernel.money import EXACT

#: What is shown of an event's data in a tree; nothing that was said is part of any.
_SHOWN = {
    TASK: ("outcome", "outcome_source", "goal"),
    TURN: ("turn_id", "initiator", "channel", "error"),
    DECISION: ("decision_id", "kind", "choice", "options", "probability"),
    TOOL_CALL: ("tool", "error"),
    INFERENCE_CALL: ("provider", "model", "finish_reason", "error"),
}


def task(view: TaskView, charge: Charge | None) -> dict[str, Any]:
    totals, costs = view.totals, view.costs
    return {
        "id": totals.task_id,
        "customer": totals.customer,
        "agent": totals.agent,
        "agent_version": totals.agent_version,
        "goal": totals.goal,
        "is_test": totals.is_test,
        "started_at": totals.started_at,
        "ended_at": totals.ended_at,
        "outcome": totals.outcome,
        "outcome_source": totals.outcome_source,
        "attempts": totals.attempts,
        "turns": totals.turns,
        "decisions": totals.decisions,
        "tool_calls": totals.tool_calls,
        "inference_calls": totals.inference_calls,
        "events": totals.events,
        "input_tokens": view.input_tokens,
        "cached_input_tokens": view.cached_input_tokens,
        "output_tokens": view.output_tokens,
        "compute_seconds": view.compute_seconds,
        "cost": cost(costs),
        "charge": None if charge is None else _charge(charge),
        "margin": _margin(charge, costs),
    }


def cost(costs: Costs) -> dict[str, Any]:
    """`amount` in `currency`; what was reported in others stands in `other_currencies`."""
    shown: dict[str, Any] = {
        "amount": costs.amount,
        "currency": costs.currency,
        "unpriced_calls": costs.unpriced_calls,
    }
    if len(costs.amounts) > 1:
        shown["other_currencies"] = {code: amount for code, amount in costs.amounts.items() if code != costs.currency}
    return shown


def trace(found: TaskTrace, charge: Charge | None) -> dict[str, Any]:
    return task(found.task, charge) | {
        "outcomes": [
            {
                "outcome": event.data.get("outcome"),
                "outcome_source": event.data.get("outcome_source"),
                "at": event.time,
                "received_at": event.received_at,
                "event": {"source": event.source, "id": event.id},
                "taken_back": event.voided,
            }
            for event in found.ends
        ],
        "is_cut": found.is_cut,
        "tree": [_node(child) for child in found.root.children],
    }


def _node(node: Node) -> dict[str, Any]:
    event = node.event
    shown: dict[str, Any] = {"type": node.kind, "label": node.label, "time": node.time}
    if event is not None:
        shown["event"] = {"source": event.source, "id": event.id}
        shown |= {name: event.data[name] for name in _SHOWN.get(event.type, ()) if name in event.data}
        shown |= {name: event.data[name] for name in ("attempt", "duration_ms") if name in event.data}
    if node.is_discarded:
        shown["discarded"] = True
    return shown | {
        "input_tokens": node.input_tokens,
        "output_tokens": node.output_tokens,
        "compute_seconds": node.compute_seconds,
        "cost": cost(node.costs),
        "children": [_node(child) for child in node.children],
    }


def _charge(charge: Charge) -> dict[str, Any]:
    return {
        "amount": charge.amount,
        "currency": charge.currency,
        "basis": "unit_prices",
        "lines": [
            {
                "price": line.price,
                "meter": line.meter,
                "quantity": line.quantity,
                "unit_amount": line.unit_amount,
                "amount": line.amount,
            }
            for line in charge.lines
        ],
        "left_out": [{"price": price, "reason": reason} for price, reason in charge.left_out],
    }


def _margin(charge: Charge | None, costs: Costs) -> dict[str, Any] | None:
    """Charge less cost, where both are known and in one currency; `is_partial` says that prices are left out."""
    if charge is None or costs.unpriced_calls or not set(costs.amounts) <= {charge.currency}:
        return None
    amount: Decimal = EXACT.subtract(charge.amount, costs.amounts.get(charge.currency, Decimal(0)))
    return {"amount": amount, "currency": charge.currency, "is_partial": bool(charge.left_out)}


def agent(found: Agent) -> dict[str, Any]:
    return {
        "id": found.id,
        "key": found.key,
        "name": found.name,
        "description": found.description,
        "versions": [agent_version(version) for version in found.versions.all()],
        "created_at": found.created_at,
    }


def agent_version(version: AgentVersion) -> dict[str, Any]:
    return {"version": version.version, "definition": version.definition or None, "created_at": version.created_at}


def queued_task(task: Task) -> dict[str, Any]:
    return {
        "id": task.task_id,
        "agent": task.agent_version.agent.key,
        "agent_version": task.agent_version.version,
        "customer": task.customer,
        "state": task.state,
        "outcome": task.outcome or None,
        "problem": task.problem or None,
        "attempts": [
            {
                "number": attempt.number,
                "state": attempt.state,
                "problem": attempt.problem or None,
                "started_at": attempt.started_at,
                "ended_at": attempt.ended_at,
            }
            for attempt in task.attempts.all()
        ],
        "created_at": task.created_at,
        "ended_at": task.ended_at,
    }


def cost_row(row: CostRow) -> dict[str, Any]:
    shown: dict[str, Any] = {"day": row.day} if row.day else {}
    if row.group:
        shown["group"] = row.group
    return shown | {"calls": row.calls, **row.quantities, "cost": cost(row.costs)}


def cost_rate(rate: CostRate) -> dict[str, Any]:
    return {
        "id": rate.id,
        "scope": "everyone" if rate.organization_id is None else "organization",
        "provider": rate.provider or None,
        "model": rate.model or None,
        "hardware": rate.hardware or None,
        "currency": rate.currency,
        "input_per_million": rate.input_per_million,
        "cached_input_per_million": rate.cached_input_per_million,
        "cache_write_per_million": rate.cache_write_per_million,
        "output_per_million": rate.output_per_million,
        "compute_second": rate.compute_second,
        "effective_from": rate.effective_from,
        "source": rate.source,
        "created_at": rate.created_at,
    }
