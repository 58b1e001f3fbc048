from __future__ import annotations

from typing import Any

from django.http import HttpResponseBase
from django.shortcuts import render

from billing.facade import (
    Customer,
    Invoice,
    OpenPeriod,
    clock_of,
    get_customer,
    holdings,
    movements_of,
    open_periods,
    overlaps,
    subscriptions_of,
    unprintable_of_customer,
)
from budgets.facade import budget_state, budgets_of
from console.access import page
from console.queries.customers import list_customers
from console.queries.figures import Figures
from console.queries.lines import lines_of_upcoming
from console.queries.subscriptions import as_of, history_of
from console.queries.tiles import activity_tiles, cost_tile
from console.views.overview import figures_of, filter_choices
from kernel.clock import system_clock

_MOVEMENTS, _BUDGETS = 12, 20


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
    """Subscriptions with their history, usage, the open month line by line, credit, budgets and invoices."""
    found = get_customer(organization_id=request.access.organization.pk, customer=customer)
    figures = figures_of(request, customer=found.key, plan="")
    at = clock_of(found)()
    upcoming: list[dict[str, Any]] = [
        {"priced": one.upcoming, "lines": lines_of_upcoming(one.upcoming), "spend": one.spend}
        if isinstance(one, OpenPeriod)
        else {"failed": one}
        for one in open_periods(customer=found, now=at)
    ]
    descriptions = [line.description for one in upcoming for line in one.get("lines", ())]
    subscriptions = list(subscriptions_of(found.organization_id).filter(customer=found))
    context = {
        **filter_choices(figures, "meter", "agent", "calls"),
        "customer": found,
        "unprintable": unprintable_of_customer(found, *descriptions),
        "subscriptions": [{"now": as_of(one, at), "history": history_of(one, at)} for one in subscriptions],
        "overlaps": [one for one in overlaps(subscriptions) if one.period.end > at],
        "upcoming": upcoming,
        "holdings": holdings(customer=found, now=at),
        "movements": list(movements_of(found).order_by("-id")[:_MOVEMENTS]),
        "budgets": _budgets(found, figures),
        "invoices": list(Invoice.objects.filter(customer=found).order_by("-month", "-pk")[:24]),
    }
    if figures.usage.meters:
        context["tiles"] = [*activity_tiles(figures), cost_tile(figures)]
    return render(request, "console/customer.html", context)


def _budgets(customer: Customer, figures: Figures) -> list[dict[str, Any]]:
    """The budgets of this customer, and how far each has come."""
    found = budgets_of(customer.organization_id).filter(customer=customer)[:_BUDGETS]
    return [{"budget": one, "state": budget_state(one, now=figures.now)} for one in found]
