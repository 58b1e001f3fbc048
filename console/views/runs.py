from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any
from zoneinfo import ZoneInfo

from django.contrib import messages
from django.db import transaction
from django.http import HttpResponseBase
from django.shortcuts import redirect, render

from billing.facade import BillingRun, runs_of, start_billing_run
from billing.tasks import work_run
from console.access import page
from console.formats import month_named
from console.queries.health import signs
from console.queries.invoices import read_month
from console.queries.pages import page_of
from kernel.clock import system_clock
from kernel.period import Month
from rest.access import Permission


@page(methods=("GET", "HEAD", "POST"), post=Permission.MOVE_MONEY)
def runs(request: Any) -> HttpResponseBase:
    """The billing runs, and the form that starts one."""
    if request.method == "POST":
        return _close_month(request)
    previous = Month.of(system_clock(), ZoneInfo("UTC")).previous()
    return render(request, "console/runs.html", {**_runs(request), "previous_month": previous})


@page()
def run_list(request: Any) -> HttpResponseBase:
    """The list alone, which asks for itself again while a run is under way."""
    return render(request, "console/_runs.html", _runs(request))


@page()
def health(request: Any) -> HttpResponseBase:
    """What works in the background, and whether it does: a part of the page, which asks for itself again."""
    found = signs(organization_id=request.access.organization.pk, now=system_clock())
    return render(request, "console/_health.html", {"signs": found})


@dataclass(frozen=True, slots=True)
class _Met:
    """A run with its problems: customers it could not price, those whose period is not over, and characters that
    documents cannot show."""

    run: BillingRun
    failed: list[dict[str, str]]
    waiting: list[dict[str, str]]
    unprintable: list[dict[str, str]]


def _met(run: BillingRun) -> _Met:
    by_code: dict[str, list[dict[str, str]]] = {"period_not_over": [], "unprintable": []}
    failed: list[dict[str, str]] = []
    for one in run.problems:
        by_code.get(one.get("code", ""), failed).append(one)
    return _Met(run, failed, by_code["period_not_over"], by_code["unprintable"])


def _runs(request: Any) -> dict[str, Any]:
    found = page_of(runs_of(request.access.organization.pk), request.GET.get("cursor"), newest_first=True)
    return {
        "runs": [_met(run) for run in found.rows],
        "next_cursor": found.next_cursor,
        "is_active": any(run.status in {"queued", "running"} for run in found.rows),
    }


def _close_month(request: Any) -> HttpResponseBase:
    organization = request.access.organization
    month = read_month(request.POST.get("month", ""))
    with transaction.atomic():
        run = start_billing_run(organization=organization, month=month, now=system_clock())
        # Should the broker be away, the run stays queued and the schedule's next look finds it.
        transaction.on_commit(partial(work_run.delay, run_id=run.pk), robust=True)
    messages.success(request, f"Closing {month_named(month)} has started.")
    return redirect("console:runs")
