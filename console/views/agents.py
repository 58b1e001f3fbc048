from __future__ import annotations

from typing import Any

from django.http import Http404, HttpResponseBase
from django.shortcuts import render

from agents.facade import TASK
from console.access import page
from console.queries import figure_charts
from console.queries.agents import list_agents
from console.queries.tiles import activity_tiles, cost_tile
from console.views.overview import figures_of, filter_choices
from metering.facade import EventQuestion, list_events

_LATEST_TASKS = 20


@page()
def agents(request: Any) -> HttpResponseBase:
    figures = figures_of(request, agent="")
    context = filter_choices(figures, "meter", "customer", "plan")
    if figures.usage.meters:
        context |= {
            "rows": list_agents(figures.usage),
            "charts": [figure_charts.usage_by_agent(figures), figure_charts.cost_by_agent(figures)],
        }
    return render(request, "console/agents.html", context)


@page()
def agent(request: Any) -> HttpResponseBase:
    """One agent, named by `?agent=`: its figures, whom it works for, and its latest tasks."""
    name = request.GET.get("agent")
    if not name:
        raise Http404("No agent is named")
    figures = figures_of(request, plan="")
    context = {**filter_choices(figures, "meter", "customer"), "agent": name}
    if figures.usage.meters:
        question = EventQuestion(
            organization_id=figures.organization.pk,
            type=TASK,
            customer=figures.selection.customer,
            start=figures.selection.period.start,
            end=figures.selection.period.end,
            data={"agent": name},
        )
        context |= {
            "tiles": [*activity_tiles(figures), cost_tile(figures)],
            "charts": [figure_charts.usage_by_window(figures), figure_charts.cost_by_window(figures)],
            "more_charts": [figure_charts.usage_by_customer(figures), figure_charts.money_by_customer(figures)],
            "tasks": list_events(question, limit=_LATEST_TASKS)[0],
        }
    return render(request, "console/agent.html", context)
