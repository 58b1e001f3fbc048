from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import Http404, HttpResponseBase
from django.shortcuts import redirect, render, resolve_url
from django.utils.http import urlencode

from agents.facade import (
    TaskQuestion,
    charges_of,
    dispute_outcome,
    list_tasks,
    projected_to,
    set_outcome,
    task_trace,
    transactions_of,
)
from console.access import page
from console.queries.pages import PAGE
from console.queries.tasks import task_row
from console.views.events import midnight_of
from kernel.clock import system_clock
from kernel.errors import InvalidError
from metering.facade import OUTCOMES
from rest.access import Permission

_FILTERS = ("customer", "agent", "outcome", "from", "to")


@page()
def tasks(request: Any) -> HttpResponseBase:
    """Tasks, those that began last first."""
    organization_id = request.access.organization.pk
    asked = {name: request.GET.get(name, "").strip() for name in _FILTERS}
    question = TaskQuestion(
        organization_id=organization_id,
        customer=asked["customer"] or None,
        agent=asked["agent"] or None,
        outcome=asked["outcome"] or None,
        start=midnight_of(asked, "from", request.zone),
        end=midnight_of(asked, "to", request.zone, days_later=1),
    )
    found, following = list_tasks(question, limit=PAGE, cursor=request.GET.get("cursor"))
    charges = charges_of(
        found,
        organization_id=organization_id,
        transactions=transactions_of(found),
        since=projected_to(organization_id),
    )
    context = {
        "tasks": [task_row(one, charges.get(one.task_id)) for one in found],
        "next_cursor": following,
        "asked": asked,
        "is_filtered": any(asked.values()),
        "query": {name: value for name, value in asked.items() if value},
        "outcomes": (*OUTCOMES, "open"),
    }
    partial = request.headers.get("HX-Request") == "true"
    return render(request, "console/_task_rows.html" if partial else "console/tasks.html", context)


@page(methods=("GET", "HEAD", "POST"), post=Permission.MOVE_MONEY)
def task(request: Any) -> HttpResponseBase:
    """One task, named by `?id=`: its tree with time and money, and how it ended, which a person may say here."""
    organization_id, task_id = request.access.organization.pk, request.GET.get("id", "")
    if not task_id:
        raise Http404("No task is named")
    if request.method == "POST":
        return _say_outcome(request, organization_id, task_id)
    trace = task_trace(organization_id=organization_id, task_id=task_id)
    charges = charges_of(
        [trace.task], organization_id=organization_id, transactions=trace.transactions, since=trace.since
    )
    context = {
        "trace": trace,
        "task": task_row(trace.task, charges.get(task_id)),
        "rows": list(trace.rows()),
        "outcomes": OUTCOMES,
        "may_judge": request.access.may_move_money,
    }
    return render(request, "console/task.html", context)


def _say_outcome(request: Any, organization_id: int, task_id: str) -> HttpResponseBase:
    reason, outcome = request.POST.get("reason", "").strip()[:1000], request.POST.get("outcome", "")
    if not reason or "\x00" in reason:
        raise InvalidError("Say why", code="reason_missing")
    say = dispute_outcome if request.POST.get("ended") else set_outcome
    change = say(
        organization_id=organization_id,
        task_id=task_id,
        outcome=outcome,
        source="person",
        actor=request.user.email,
        reason=reason,
        now=system_clock(),
    )
    if not change.has_changed:
        messages.info(request, f"It was {outcome} already.")
    elif change.is_settled:
        messages.success(request, f"Now {outcome}. What was invoiced of it is put right on the next invoice.")
    else:
        messages.success(request, f"Now {outcome}.")
    return redirect(f"{resolve_url('console:task')}?{urlencode({'id': task_id})}")
