"""The catalogue of models: what the engine may load, what is known of each, and taking one out of use for good."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import HttpResponseBase
from django.shortcuts import redirect, render

from console.access import page
from console.confirming import is_confirmed
from inference.facade import get_model, is_operator, models, recall_model, tasks_of_model
from kernel.clock import system_clock
from kernel.errors import InvalidError
from rest.access import Permission

_TASKS_A_PAGE = 50
_MOST_PAGES = 2000
_POST = ("POST",)


@page()
def model_catalogue(request: Any) -> HttpResponseBase:
    context = {"models": models(), "is_operator": is_operator(request.access.organization)}
    return render(request, "console/model_catalogue.html", context)


@page()
def model(request: Any, model: str) -> HttpResponseBase:
    """One model, by its key or digest, with the organization's tasks that it worked on."""
    found, number = get_model(model), _page_number(request)
    first = (number - 1) * _TASKS_A_PAGE
    tasks = tasks_of_model(organization_id=request.access.organization.pk, digest=found.digest)
    rows = list(tasks[first : first + _TASKS_A_PAGE + 1])
    context = {
        "model": found,
        "tasks": rows[:_TASKS_A_PAGE],
        "following": number + 1 if len(rows) > _TASKS_A_PAGE else None,
        "may_recall": Permission.RECALL_MODELS in request.access.may and is_operator(request.access.organization),
        "is_confirmed": is_confirmed(request),
    }
    return render(request, "console/model.html", context)


@page(may=Permission.RECALL_MODELS, methods=_POST, confirmed=True)
def recall(request: Any, model: str) -> HttpResponseBase:
    """For the organization that runs this installation: the engine and its models are shared by all."""
    if not is_operator(request.access.organization):
        raise InvalidError("Models are recalled by the organization that runs this installation", code="operators_only")
    found = recall_model(
        model=get_model(model), reason=request.POST.get("reason", ""), actor=request.user.email, now=system_clock()
    )
    messages.success(request, f"{found.key} is recalled: it is refused everywhere, and what it does now is its last.")
    return redirect("console:model", found.digest)


def _page_number(request: Any) -> int:
    given = request.GET.get("page", "1")
    if not (given.isascii() and given.isdigit() and 1 <= int(given[:9]) <= _MOST_PAGES):
        raise InvalidError("There is no such page", code="page_invalid")
    return int(given)
