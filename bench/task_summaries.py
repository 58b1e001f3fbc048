"""How fast task summaries catch up with the log, and how long a page of tasks and one task take behind them.

    python -m bench task_summaries [TASKS]

A task is eight events in one transaction of ten tasks: two inference calls, two turns, two decisions, a tool call and
the end. One worker, one organization; tasks of 100 customers and 10 agents, spread over a month.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from bench.setting import database

START = datetime(2026, 10, 1, tzinfo=UTC)
TOGETHER = 10


def main(tasks: int = 20_000) -> None:
    with database():
        from accounts.facade import create_organization  # noqa: PLC0415 - Django is set up only now
        from agents.facade import TaskQuestion, advance_task_summaries, list_tasks, task_trace  # noqa: PLC0415

        organization_id = int(create_organization(name="Bench").pk)
        filling = _timed(lambda: _fill(organization_id, tasks))
        catching_up = _timed(advance_task_summaries)
        print(f"{tasks:,} tasks, {8 * tasks:,} events; written in {filling:.1f} s")
        print(f"  caught up at {8 * tasks / catching_up:,.0f} events/s, {tasks / catching_up:,.0f} tasks/s")
        for limit in (100, 1_000):
            question = TaskQuestion(organization_id=organization_id, customer="c-7")
            _show(f"a page of {limit:,} of a customer's tasks", lambda q=question, n=limit: list_tasks(q, limit=n))
        _show("one task with its tree", lambda: task_trace(organization_id=organization_id, task_id=f"t-{tasks // 2}"))


def _show(what: str, ask: Callable[[], Any]) -> None:
    ask()
    print(f"  {what:36} {statistics.median(_timed(ask) for _ in range(9)) * 1000:6.1f} ms")


def _fill(organization_id: int, tasks: int) -> None:
    from metering.facade import ingest  # noqa: PLC0415

    for first in range(0, tasks, TOGETHER):
        events = [event for number in range(first, first + TOGETHER) for event in _task(number, tasks)]
        ingest(organization_id=organization_id, events=events, received_at=START)


def _task(number: int, tasks: int) -> list[dict[str, Any]]:
    began = START + timedelta(days=30) * number / tasks
    parts: list[tuple[str, dict[str, Any]]] = []
    for turn in (1, 2):
        told = {"turn_id": f"t-{number}/{turn}"}
        used = {"provider": "taximeter", "model": "m", "hardware": "cpu", "input_tokens": 410, "output_tokens": 58}
        parts.append(("inference.call", {**told, **used, "compute_seconds": "0.74"}))
        parts.append(("agent.decision", {**told, "decision_id": f"t-{number}/{turn}/d", "choice": "search"}))
        parts.append(("agent.turn", told))
    parts.append(("agent.tool_call", {"turn_id": f"t-{number}/1", "decision_id": f"t-{number}/1/d", "tool": "search"}))
    parts.append(("agent.task", {"outcome": "succeeded"}))
    common = {"task_id": f"t-{number}", "agent": f"a-{number % 10}"}
    return [
        {
            "specversion": "1.0",
            "id": f"t-{number}/{place}",
            "source": "bench",
            "type": type,
            "subject": f"c-{number % 100}",
            "time": (began + timedelta(seconds=place)).isoformat(),
            "data": common | data,
        }
        for place, (type, data) in enumerate(parts)
    ]


def _timed(work: Callable[[], Any]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began
