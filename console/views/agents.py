from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.http import Http404, HttpResponseBase
from django.shortcuts import render

from agents.facade import (
    TaskQuestion,
    TaskView,
    charges_of,
    list_tasks,
    outstanding_tasks,
    projected_to,
    transactions_of,
)
from console.access import page
from console.queries import figure_charts
from console.queries.agents import list_agents
from console.queries.figures import Figures
from console.queries.tasks import TaskRow, charge_tiles, task_row
from console.queries.tiles import activity_tiles, agent_cost_tiles
from console.views.overview import figures_of, filter_choices

_LATEST_TASKS = 20
_OUTSTANDING = 5


@page()
def agents(request: Any) -> HttpResponseBase:
    figures = figures_of(request, agent="")
    context = filter_choices(figures, "meter", "customer", "plan", "calls", "currency")
    if figures.usage.meters:
        context |= {
            "rows": list_agents(figures),
            "charts": [figure_charts.usage_by_agent(figures), figure_charts.cost_by_agent(figures)],
        }
    return render(request, "console/agents.html", context)


@page()
def agent(request: Any) -> HttpResponseBase:
    """One agent, named by `?agent=`: its figures, whom it works for, and its latest tasks."""
    figures = _figures_of_agent(request)
    name = figures.selection.agent
    context = {**filter_choices(figures, "meter", "customer", "calls", "currency"), "agent": name}
    if figures.usage.meters:
        tasks = _rows(figures.organization.pk, list_tasks(_question(figures), limit=_LATEST_TASKS)[0])
        context |= {
            "charts": [figure_charts.usage_by_window(figures), figure_charts.cost_by_window(figures)],
            "tasks": tasks,
            "tiles": [*activity_tiles(figures), *agent_cost_tiles(figures), *charge_tiles(tasks)],
        }
    return render(request, "console/agent.html", context)


@page()
def agent_tasks(request: Any) -> HttpResponseBase:
    """How an agent's tasks ended, and the slowest and dearest of them: for htmx, else a page of its own."""
    figures = _figures_of_agent(request)
    found = outstanding_tasks(_question(figures), limit=_OUTSTANDING)
    rows = {one.totals.task_id: one for one in _rows(figures.organization.pk, [*found.slowest, *found.dearest])}
    context = {
        "agent": figures.selection.agent,
        "selection": figures.selection,
        "outcomes": list((figures.usage.by("tasks", "outcome") or {}).items()),
        "slowest": [rows[one.task_id] for one in found.slowest],
        "dearest": [rows[one.task_id] for one in found.dearest],
        "compared": found.compared,
    }
    partial = request.headers.get("HX-Request") == "true"
    return render(request, "console/_agent_tasks.html" if partial else "console/agent_tasks.html", context)


def _figures_of_agent(request: Any) -> Figures:
    figures = figures_of(request, plan="")
    if not figures.selection.agent:
        raise Http404("No agent is named")
    return figures


def _question(figures: Figures) -> TaskQuestion:
    """The agent's tasks that began in the period."""
    return TaskQuestion(
        organization_id=figures.organization.pk,
        agent=figures.selection.agent,
        customer=figures.selection.customer,
        start=figures.selection.period.start,
        end=figures.selection.period.end,
    )


def _rows(organization_id: int, tasks: Sequence[TaskView]) -> list[TaskRow]:
    """Each task once, with what it is charged."""
    every = list({one.task_id: one for one in tasks}.values())
    charges = charges_of(
        every,
        organization_id=organization_id,
        transactions=transactions_of(every),
        since=projected_to(organization_id),
    )
    return [task_row(one, charges.get(one.task_id)) for one in every]
