from __future__ import annotations

from dataclasses import replace
from typing import Any

from django.http import HttpResponseBase
from django.shortcuts import render

from console.access import page
from console.queries import figure_charts
from console.queries.figures import Figures
from console.views.overview import figures_of, filter_choices
from metering.facade import definition_of


@page()
def meters(request: Any) -> HttpResponseBase:
    """Every meter with what it counts and a chart of it; one query a meter."""
    figures = figures_of(request)
    context = filter_choices(figures, "customer", "agent")
    context["rows"] = [
        {"meter": version.meter, "definition": definition_of(version).to_json(), **_chart(figures, key)}
        for key, version in figures.usage.meters.items()
    ]
    return render(request, "console/meters.html", context)


def _chart(figures: Figures, meter: str) -> dict[str, Any]:
    of_meter = Figures(
        organization=figures.organization, selection=replace(figures.selection, meter=meter), now=figures.now
    )
    # What does not depend on the meter is read once.
    of_meter.customers, of_meter.usage.meters = figures.customers, figures.usage.meters
    return {"chart": figure_charts.usage_by_window(of_meter), "selection": of_meter.selection}
