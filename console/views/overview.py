from __future__ import annotations

from typing import Any

from django.http import Http404, HttpResponse, HttpResponseBase
from django.shortcuts import render

from console.access import page
from console.queries import figure_charts
from console.queries.directory import time_zones
from console.queries.figures import Figures
from console.queries.invoices import latest_invoices
from console.queries.tiles import overview_tiles
from console.selection import PERIODS, read_selection
from kernel.clock import system_clock
from metering.facade import EventQuestion, EventView, list_events

_LATEST = 8

#: Time zones to choose from besides those of the organization's customers.
_ZONES = (
    "UTC",
    "America/Los_Angeles",
    "America/New_York",
    "America/Sao_Paulo",
    "Europe/London",
    "Europe/Berlin",
    "Africa/Lagos",
    "Asia/Dubai",
    "Asia/Kolkata",
    "Asia/Singapore",
    "Asia/Tokyo",
    "Australia/Sydney",
)


def figures_of(request: Any, **fixed: str) -> Figures:
    """The figures that the address asks for. `fixed` are filters that the page itself sets."""
    now = system_clock()
    parameters = {**request.GET.dict(), **fixed}
    selection = read_selection(parameters, now=now, zone=request.zone)
    return Figures(organization=request.access.organization, selection=selection, now=now)


def filter_choices(figures: Figures, *names: str) -> dict[str, Any]:
    """What the filter form offers: the period, and the filters named."""
    zones = {*_ZONES, *time_zones(figures.organization.pk), figures.selection.zone.key}
    return {
        "figures": figures,
        "selection": figures.selection,
        "periods": PERIODS,
        "zones": sorted(zones),
        "meters": [version.meter for version in figures.usage.meters.values()] if "meter" in names else [],
        "customer_choices": [(key, one.name) for key, one in figures.named.items()] if "customer" in names else [],
        "agent_choices": figures.agents if "agent" in names else [],
        "plan_choices": list(figures.plan_names.items()) if "plan" in names else [],
    }


def latest_events(organization_id: int) -> list[EventView]:
    events, _ = list_events(EventQuestion(organization_id=organization_id), limit=_LATEST)
    return events


@page()
def overview(request: Any) -> HttpResponseBase:
    figures = figures_of(request)
    organization_id = request.access.organization.pk
    events = latest_events(organization_id)
    context = {
        **filter_choices(figures, "meter", "customer", "agent", "plan"),
        "events": events,
        "invoices": latest_invoices(organization_id=organization_id, limit=_LATEST),
    }
    if figures.usage.meters:
        context |= {
            "tiles": overview_tiles(figures),
            "main_charts": [figure_charts.usage_by_window(figures), figure_charts.cost_by_window(figures)],
            "money_charts": [
                figure_charts.money_by_customer(figures),
                figure_charts.cost_by_agent(figures),
                figure_charts.money_by_plan(figures),
            ],
            "usage_charts": [
                figure_charts.usage_by_customer(figures),
                figure_charts.usage_by_agent(figures),
                figure_charts.usage_by_plan(figures),
            ],
        }
    return render(request, "console/overview.html", context)


@page()
def chart_csv(request: Any, chart: str) -> HttpResponseBase:
    """The whole table of one chart, with exact values."""
    build = figure_charts.CHARTS.get(chart)
    if build is None:
        raise Http404("There is no such chart")
    figures = figures_of(request)
    name = f"{chart}-{figures.selection.first}-{figures.selection.last}.csv"
    return HttpResponse(
        build(figures).to_csv(),
        content_type="text/csv; charset=utf-8",
        headers={"Content-Disposition": f'attachment; filename="{name}"'},
    )
