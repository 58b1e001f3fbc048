from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from django.http import Http404, HttpResponse, HttpResponseBase
from django.shortcuts import render

from console.access import page
from console.charts import Chart
from console.queries import figure_charts
from console.queries.directory import search_customers, time_zones
from console.queries.figures import Figures
from console.queries.invoices import latest_invoices, standing_invoices
from console.queries.meters import usage_by_meter
from console.queries.tiles import activity_tiles, money_tiles, overview_tiles
from console.selection import CALL_FILTERS, PERIODS, read_selection
from kernel.clock import system_clock
from metering.facade import EventQuestion, EventView, list_events

_LATEST = 8
_MOST_CHOICES = 20
#: What more customers than these did takes so long to count, one by one, that it is asked for by itself.
_MANY_CUSTOMERS = 50

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
    """What the filter form offers: the period, and the filters named; `calls` are model, hardware and region."""
    selection = figures.selection
    zones = {*_ZONES, *time_zones(figures.organization.pk), selection.zone.key}
    return {
        "figures": figures,
        "selection": selection,
        "periods": PERIODS,
        "zones": sorted(zones),
        "meters": [version.meter for version in figures.usage.meters.values()] if "meter" in names else [],
        "asks_customer": "customer" in names,
        "customer_name": _customer_name(figures) if "customer" in names else "",
        "agent_choices": figures.agents if "agent" in names else [],
        "plan_choices": list(figures.plan_names.items()) if "plan" in names else [],
        "call_choices": [(name, getattr(selection, name), figures.kinds_of(name)) for name in CALL_FILTERS]
        if "calls" in names
        else [],
        "currencies": figures.currencies if "currency" in names and len(figures.currencies) > 1 else [],
    }


def _customer_name(figures: Figures) -> str:
    key = figures.selection.customer
    found = figures.named([key]) if key else {}
    return found[key].name if key in found else ""


def latest_events(organization_id: int) -> list[EventView]:
    events, _ = list_events(EventQuestion(organization_id=organization_id), limit=_LATEST)
    return events


@page()
def overview(request: Any) -> HttpResponseBase:
    figures = figures_of(request)
    organization_id, selection = request.access.organization.pk, figures.selection
    context = {
        **filter_choices(figures, "meter", "customer", "agent", "plan", "calls", "currency"),
        "events": latest_events(organization_id),
        "invoices": latest_invoices(organization_id=organization_id, limit=_LATEST),
        "standing": standing_invoices(
            organization_id=organization_id, now=figures.now, customer=selection.customer, plan=selection.plan
        ),
    }
    if figures.usage.meters:
        is_long = len(figures.customers or ()) > _MANY_CUSTOMERS
        context["tiles"] = money_tiles(figures) if is_long else overview_tiles(figures)
        context["activity_later"] = is_long
    return render(request, "console/overview.html", context)


@dataclass(frozen=True, slots=True)
class _Part:
    """Charts, or what else the template shows."""

    charts: tuple[Callable[[Figures], Chart], ...] = ()
    more: Callable[[Figures], dict[str, Any]] = field(default=lambda figures: {})


def _activity(figures: Figures) -> dict[str, Any]:
    return {"tiles": activity_tiles(figures) if figures.usage.meters else ()}


#: What pages ask for once they are shown.
_PARTS: Mapping[str, _Part] = {
    "days": _Part((figure_charts.usage_by_window, figure_charts.cost_by_window)),
    "customer": _Part(
        (
            figure_charts.usage_by_window,
            figure_charts.cost_by_window,
            figure_charts.usage_by_agent,
            figure_charts.cost_by_model,
        )
    ),
    "money": _Part((figure_charts.money_by_customer, figure_charts.money_by_plan)),
    "costs": _Part((figure_charts.cost_by_agent, figure_charts.cost_by_model)),
    "usage": _Part((figure_charts.usage_by_customer, figure_charts.usage_by_agent, figure_charts.usage_by_plan)),
    "meters": _Part(more=lambda figures: {"usage": usage_by_meter(figures)}),
    "activity": _Part(more=_activity),
    "meter": _Part((figure_charts.usage_by_window,)),
    "agent": _Part((figure_charts.usage_by_customer, figure_charts.money_by_customer, figure_charts.cost_by_model)),
}


@page()
def part(request: Any, part: str) -> HttpResponseBase:
    """A part of a page that takes longer than the rest of it: for htmx, else a page of its own."""
    wanted = _PARTS.get(part)
    if wanted is None:
        raise Http404("There is no such part")
    figures = figures_of(request)
    context = {
        "part": part,
        "figures": figures,
        "selection": figures.selection,
        "charts": [build(figures) for build in wanted.charts] if figures.usage.meters else [],
        **wanted.more(figures),
    }
    partial = request.headers.get("HX-Request") == "true"
    return render(request, "console/_part.html" if partial else "console/part.html", context)


@page()
def chart_csv(request: Any, chart: str) -> HttpResponseBase:
    """The whole table of one chart, with exact values."""
    build = figure_charts.CHARTS.get(chart)
    if build is None:
        raise Http404("There is no such chart")
    figures = figures_of(request)
    figures.calls.has_tokens = True
    name = f"{chart}-{figures.selection.first}-{figures.selection.last}.csv"
    return HttpResponse(
        build(figures).to_csv(),
        content_type="text/csv; charset=utf-8",
        headers={"Content-Disposition": f'attachment; filename="{name}"'},
    )


@page()
def customer_choices(request: Any) -> HttpResponseBase:
    """The first customers that have what was typed in their name or key, as the options of a field."""
    found = search_customers(
        request.access.organization.pk, request.GET.get("customer", "").strip()[:200], limit=_MOST_CHOICES
    )
    return render(request, "console/_customer_choices.html", {"customers": found})
