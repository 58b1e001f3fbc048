from __future__ import annotations

from typing import Any

from django.http import HttpResponseBase
from django.shortcuts import render

from billing.facade import Invoice, PricedInvoice, get_customer, subscriptions_of, upcoming_invoices
from console.access import page
from console.queries import figure_charts
from console.queries.customers import list_customers
from console.queries.figures import Figures
from console.queries.lines import lines_of_upcoming
from console.queries.subscriptions import as_of
from console.queries.tiles import activity_tiles, cost_tile
from console.views.overview import figures_of, filter_choices
from kernel.clock import system_clock


@page()
def customers(request: Any) -> HttpResponseBase:
    search = request.GET.get("q", "").strip()[:200]
    rows, following = list_customers(
        organization_id=request.access.organization.pk,
        search=search,
        cursor=request.GET.get("cursor"),
        now=system_clock(),
    )
    return render(request, "console/customers.html", {"rows": rows, "next_cursor": following, "search": search})


@page()
def customer(request: Any, customer: str) -> HttpResponseBase:
    """Subscriptions, usage, the open month line by line, and invoices."""
    found = get_customer(organization_id=request.access.organization.pk, customer=customer)
    figures = figures_of(request, customer=found.key, plan="")
    upcoming = [
        {"priced": one, "lines": lines_of_upcoming(one)} if isinstance(one, PricedInvoice) else {"failed": one}
        for one in upcoming_invoices(customer=found, now=figures.now)
    ]
    context = {
        **filter_choices(figures, "meter", "agent"),
        "customer": found,
        "subscriptions": [
            as_of(one, figures.now) for one in subscriptions_of(found.organization_id).filter(customer=found)
        ],
        "upcoming": upcoming,
        "invoices": list(Invoice.objects.filter(customer=found).order_by("-month", "-pk")[:24]),
    }
    if figures.usage.meters:
        context |= {
            "tiles": [*activity_tiles(figures), cost_tile(figures)],
            "charts": [
                figure_charts.usage_by_window(figures),
                figure_charts.cost_by_window(figures),
            ],
            "usage": usage_by_meter(figures),
        }
    return render(request, "console/customer.html", context)


def usage_by_meter(figures: Figures) -> list[dict[str, Any]]:
    """What every meter counted in the period; one query a meter."""
    return [
        {"meter": version.meter, "quantity": figures.usage.total(key)} for key, version in figures.usage.meters.items()
    ]
