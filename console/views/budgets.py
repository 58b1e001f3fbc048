"""Budgets: how far each has come, what was reached, and making, changing and removing them."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from django.contrib import messages
from django.http import HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse

from billing.facade import plans_of
from budgets.facade import (
    Budget,
    BudgetState,
    budget_state,
    budgets_of,
    create_budget,
    crossings_of,
    get_budget,
    remove_budget,
    update_budget,
)
from console.access import page
from console.budget_forms import FIRST_THRESHOLDS, SCOPES, BudgetChangeForm, BudgetForm, budget_fields, written
from console.forms import Action, Done, form_page, posted
from console.queries.pages import page_of
from kernel.clock import system_clock
from kernel.errors import NotFoundError
from kernel.money import EXACT
from rest.access import Permission

_BOTH, _POST = ("GET", "HEAD", "POST"), ("POST",)
_HUNDRED = Decimal(100)
_FILTERS = ("scope", "customer", "agent", "plan")


@dataclass(frozen=True, slots=True)
class Row:
    """A budget with its state, and how wide the parts of its bar are, in percent of the whole."""

    budget: Budget
    state: BudgetState

    @property
    def used_width(self) -> str:
        return _width(self.state.used, self.state.amount)

    @property
    def taken_width(self) -> str:
        return _width(EXACT.add(self.state.used, self.state.held), self.state.amount)

    @property
    def is_used_up(self) -> bool:
        return self.state.used >= self.state.amount

    @property
    def is_reached(self) -> bool:
        return any(self.state.used >= one.of(self.state.amount) for one in self.state.thresholds)


def row_of(budget: Budget) -> Row:
    return Row(budget, budget_state(budget, now=system_clock()))


@page()
def budgets(request: Any) -> HttpResponseBase:
    asked = {name: request.GET.get(name, "").strip() for name in _FILTERS}
    query = {name: value for name, value in asked.items() if value}
    problem = ""
    try:
        rows = budgets_of(request.access.organization.pk, **query)
    except NotFoundError as error:
        rows, problem = Budget.objects.none(), error.detail
    found = page_of(rows, request.GET.get("cursor"))
    context = {
        "rows": [row_of(one) for one in found.rows],
        "next_cursor": found.next_cursor,
        "asked": asked,
        "query": query,
        "problem": problem,
        "scopes": SCOPES,
        "plans": plans_of(request.access.organization.pk).values_list("key", "name"),
    }
    return render(request, "console/budgets.html", context)


@page()
def budget(request: Any, budget: str) -> HttpResponseBase:
    """How far it has come, its thresholds, and every one that was reached."""
    found = _found(request, budget)
    crossings = page_of(crossings_of(found), request.GET.get("cursor"), newest_first=True)
    context = {"row": row_of(found), "crossings": crossings.rows, "next_cursor": crossings.next_cursor}
    return render(request, "console/budget.html", context)


@page(may=Permission.SET_BUDGETS, methods=_BOTH)
def create(request: Any) -> HttpResponseBase:
    organization = request.access.organization

    def work(fields: dict[str, Any]) -> Done:
        made = create_budget(organization=organization, **budget_fields(fields))
        return Done(_address(made), "The budget is made. What has been used in its present period counts.")

    initial = {"timezone": request.zone.key, "thresholds": FIRST_THRESHOLDS}
    if customer := request.GET.get("customer", "")[:128]:
        initial |= {"scope": "customer", "customer": customer}
    form = BudgetForm(posted(request), initial=initial, organization_id=organization.pk)
    return form_page(request, form, Action("New budget", "Make it", work, crumbs=(_list(),)))


@page(may=Permission.SET_BUDGETS, methods=_BOTH)
def edit(request: Any, budget: str) -> HttpResponseBase:
    found = _found(request, budget)

    def work(fields: dict[str, Any]) -> Done:
        update_budget(budget=found, **fields)
        return Done(_address(found), "The budget is changed. Agents are asked by it from now on.")

    initial = {"name": found.name, "amount": f"{found.amount:f}", "thresholds": written(found.thresholds)}
    about = "What it is of and what it measures stays: for another, make another. An amount that changes alerts anew."
    action = Action("Change budget", "Change it", work, (_list(), (_address(found), found.name)), about)
    return form_page(request, BudgetChangeForm(posted(request), initial=initial), action)


@page(may=Permission.SET_BUDGETS, methods=_POST)
def remove(request: Any, budget: str) -> HttpResponseBase:
    found = _found(request, budget)
    remove_budget(budget=found, now=system_clock())
    messages.success(request, f"The budget {found.name} is removed: it alerts and stops nothing any more.")
    return redirect("console:budgets")


def _found(request: Any, budget: str) -> Budget:
    return get_budget(organization_id=request.access.organization.pk, budget=budget)


def _address(budget: Budget) -> str:
    return reverse("console:budget", args=[budget.pk])


def _list() -> tuple[str, str]:
    return reverse("console:budgets"), "Budgets"


def _width(part: Decimal, whole: Decimal) -> str:
    return format(min(EXACT.divide(EXACT.multiply(part, _HUNDRED), whole), _HUNDRED).quantize(Decimal("0.1")), "f")
