from __future__ import annotations

from typing import Any

from django.http import HttpResponse, HttpResponseBase
from django.shortcuts import render

from console.access import page
from console.queries import figure_charts
from console.queries.models import calls_csv, calls_tables
from console.queries.tiles import model_tiles
from console.views.overview import figures_of, filter_choices
from metering.facade import definition_of


@page()
def models(request: Any) -> HttpResponseBase:
    """Calls of models: what they used and cost, by model, hardware and region."""
    figures = figures_of(request)
    figures.calls.has_tokens = True
    context = filter_choices(figures, "customer", "agent", "plan", "calls", "currency")
    context["tables"] = calls_tables(figures)
    if figures.calls.kinds:
        context |= {
            "tiles": model_tiles(figures),
            "charts": [figure_charts.cost_by_window(figures), figure_charts.cost_by_model(figures)],
            "more_charts": [
                figure_charts.tokens_by_model(figures),
                figure_charts.compute_by_hardware(figures),
                figure_charts.cost_by_region(figures),
            ],
        }
    return render(request, "console/models.html", context)


@page()
def models_csv(request: Any) -> HttpResponseBase:
    """Every model, hardware and region with exact numbers."""
    figures = figures_of(request)
    figures.calls.has_tokens = True
    name = f"models-{figures.selection.first}-{figures.selection.last}.csv"
    return HttpResponse(
        calls_csv(figures),
        content_type="text/csv; charset=utf-8",
        headers={"Content-Disposition": f'attachment; filename="{name}"'},
    )


@page()
def meters(request: Any) -> HttpResponseBase:
    """Every meter with what it counts; its chart is asked for by itself."""
    figures = figures_of(request)
    context = filter_choices(figures, "customer", "agent")
    context["rows"] = [
        {
            "meter": version.meter,
            "definition": definition_of(version).to_json(),
            "query": figures.selection.query(meter=key),
        }
        for key, version in figures.usage.meters.items()
    ]
    return render(request, "console/meters.html", context)
