from __future__ import annotations

from dataclasses import replace
from typing import Any

from django.http import HttpResponseBase
from django.shortcuts import render

from billing.facade import newest_version, plans_of
from console.access import page
from console.queries import figure_charts
from console.queries.figures import Figures
from console.views.overview import figures_of, filter_choices
from console.wording import interval_in_words, price_in_words
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


@page()
def plans(request: Any) -> HttpResponseBase:
    """Every plan, what its newest version charges, and who is on it."""
    figures = figures_of(request)
    shown = []
    for plan in plans_of(request.access.organization.pk):
        version = newest_version(plan)
        shown.append(
            {
                "plan": plan,
                "version": version,
                "prices": [
                    price_in_words(
                        price,
                        currency=version.currency,
                        interval=interval_in_words(version.interval, version.interval_count),
                    )
                    for price in version.prices.all()
                ],
                "customers": sorted(
                    (figures.named[key] for key in figures.customers_by_plan.get(plan.key, ()) if key in figures.named),
                    key=lambda one: one.name,
                ),
            }
        )
    return render(request, "console/plans.html", {"plans": shown})
