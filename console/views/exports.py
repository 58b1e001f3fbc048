"""Exports: a month's data as files, what became of them, and the schedules that start them every month."""

from __future__ import annotations

import re
from functools import partial
from typing import Any
from zoneinfo import ZoneInfo

from django import forms
from django.contrib import messages
from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db import transaction
from django.http import FileResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse

from billing.facade import InvoiceStatus
from console.access import page
from console.formats import month_named
from console.forms import Action, CustomerInput, Done, PlainForm, form_page, posted
from console.queries.pages import page_of
from exports.facade import (
    FORMATS,
    KINDS,
    change_schedule,
    create_schedule,
    exports_of,
    file_to_fetch,
    get_export,
    get_schedule,
    named_target,
    schedules_of,
    start_export,
)
from exports.tasks import work_export
from kernel.clock import system_clock
from kernel.errors import UnavailableError
from kernel.period import Month
from rest.access import Permission

_BOTH = ("GET", "HEAD", "POST")

_KIND_NAMES = {
    "invoices": "Invoices",
    "lines": "Lines of invoices",
    "usage": "Usage by day",
    "costs": "Costs and margins",
    "ledger": "Ledger",
    "focus": "FOCUS 1.4: three files of the FinOps specification",
}
_FORMAT_NAMES = {"csv": "CSV", "xlsx": "Excel workbook", "parquet": "Parquet", "json": "JSON"}


class MonthField(forms.CharField):
    """A month as YYYY-MM."""

    def __init__(self, **kwargs: Any) -> None:
        attributes = {"type": "month", "pattern": "[0-9]{4}-[0-9]{2}", "placeholder": "YYYY-MM"}
        super().__init__(max_length=7, **{"widget": forms.TextInput(attributes)} | kwargs)

    def clean(self, value: Any) -> Month | None:
        text = super().clean(value)
        try:
            return Month.parse(text) if text else None
        except ValueError as error:
            raise ValidationError(str(error)) from None


class AddressesField(forms.CharField):
    """E-mail addresses, with commas or spaces between them."""

    def clean(self, value: Any) -> list[str]:
        found = [one for one in re.split(r"[\s,;]+", super().clean(value) or "") if one]
        if len(found) > 20:
            raise ValidationError("At most 20 addresses")
        for one in found:
            try:
                validate_email(one)
            except ValidationError:
                raise ValidationError(f"{one} is no e-mail address") from None
        return found


class _WhatForm(PlainForm):
    kinds = forms.MultipleChoiceField(
        label="What", choices=[(one, _KIND_NAMES[one]) for one in KINDS], widget=forms.CheckboxSelectMultiple
    )
    format = forms.ChoiceField(choices=[(one, _FORMAT_NAMES[one]) for one in FORMATS])


class ExportForm(_WhatForm):
    month = MonthField()
    customer = forms.CharField(
        max_length=128, required=False, help_text="The key of one customer. Empty: all of them.", widget=CustomerInput
    )
    status = forms.ChoiceField(
        label="Status of invoices",
        required=False,
        choices=[("", "all"), *((one, one) for one in InvoiceStatus.values)],
        help_text="Selects invoices and their lines; other kinds have none.",
    )
    mail_to = AddressesField(label="Mail to", required=False, help_text="Who hears that the files are there.")


class ScheduleForm(_WhatForm):
    day = forms.IntegerField(
        label="Day of the next month",
        min_value=1,
        max_value=28,
        required=False,
        help_text="1 to 28, in UTC. Empty: as soon as the month is closed.",
    )
    mail_to = AddressesField(label="Mail to", required=False, help_text="Who hears that the files are there.")


class NewScheduleForm(ScheduleForm):
    first_month = MonthField(required=False, help_text="The first month to export. Empty: the present one.")


class ChangedScheduleForm(ScheduleForm):
    active = forms.BooleanField(required=False, help_text="Start exports by this schedule.")


@page()
def exports(request: Any) -> HttpResponseBase:
    """The exports, newest first, and the schedules."""
    context = {
        "schedules": list(schedules_of(request.access.organization.pk)),
        "target": named_target(),
        "may_export": Permission.EXPORT in request.access.may,
    }
    return render(request, "console/exports.html", {**context, **_exports(request)})


@page()
def export_list(request: Any) -> HttpResponseBase:
    """The list alone, which asks for itself again while an export is under way."""
    return render(request, "console/_exports.html", _exports(request))


def _exports(request: Any) -> dict[str, Any]:
    found = page_of(exports_of(request.access.organization.pk), request.GET.get("cursor"), newest_first=True)
    return {
        "exports": found.rows,
        "next_cursor": found.next_cursor,
        "cursor": request.GET.get("cursor", ""),
        "is_active": any(one.status == "queued" for one in found.rows),
    }


@page(may=Permission.EXPORT, methods=_BOTH)
def create(request: Any) -> HttpResponseBase:
    """The form of an export; an address with `month` and the like fills it in."""
    organization = request.access.organization

    def work(fields: dict[str, Any]) -> Done:
        asked = {**fields, "customer": fields["customer"] or None, "status": fields["status"] or None}
        with transaction.atomic():
            made = start_export(organization=organization, now=system_clock(), created_by=request.user.email, **asked)
            # Should the broker be away, the export stays queued and beat's next look finds it.
            transaction.on_commit(partial(work_export.delay, export_id=made.pk), robust=True)
        return Done(reverse("console:export", args=[made.pk]), f"The export of {month_named(made.month)} has started.")

    previous = str(Month.of(system_clock(), ZoneInfo("UTC")).previous())
    initial = {"kinds": ["invoices", "lines"], "format": "xlsx", "month": previous, **_given(request)}
    action = Action("New export", "Start it", work, crumbs=(_list(),))
    return form_page(request, ExportForm(posted(request), initial=initial), action)


def _given(request: Any) -> dict[str, Any]:
    given: dict[str, Any] = {name: value for name, value in request.GET.items() if name in ExportForm.base_fields}
    return given | ({"kinds": request.GET.getlist("kinds")} if "kinds" in given else {})


@page()
def export(request: Any, export: str) -> HttpResponseBase:
    return render(request, "console/export.html", _export(request, export))


@page()
def export_state(request: Any, export: str) -> HttpResponseBase:
    """How far it is, by itself, which asks for itself again until the export has ended."""
    return render(request, "console/_export.html", _export(request, export))


def _export(request: Any, export: str) -> dict[str, Any]:
    found = get_export(organization_id=request.access.organization.pk, export=export)
    return {
        "export": found,
        "totals": [
            (table["table"], table["rows"], sorted(table["totals"].items()))
            for table in found.manifest.get("tables", [])
        ],
        "may_export": Permission.EXPORT in request.access.may,
    }


@page()
def download(request: Any, export: str) -> HttpResponseBase:
    """The export's file; of several, an archive of all, or the one named by `file`."""
    found = get_export(organization_id=request.access.organization.pk, export=export)
    try:
        path = file_to_fetch(found, request.GET.get("file"))
    except UnavailableError as error:
        messages.error(request, error.detail)
        return redirect("console:export", found.pk)
    answer = FileResponse(path.open("rb"), as_attachment=True, filename=path.name)
    answer["X-Content-Type-Options"] = "nosniff"
    return answer


@page(may=Permission.EXPORT, methods=_BOTH)
def create_export_schedule(request: Any) -> HttpResponseBase:
    def work(fields: dict[str, Any]) -> Done:
        create_schedule(organization=request.access.organization, now=system_clock(), **fields)
        return Done(reverse("console:exports"), "Months are exported by this schedule from now on.")

    action = Action("New schedule", "Make it", work, crumbs=(_list(),))
    initial = {"kinds": ["invoices", "lines", "ledger"], "format": "xlsx"}
    return form_page(request, NewScheduleForm(posted(request), initial=initial), action)


@page(may=Permission.EXPORT, methods=_BOTH)
def edit_export_schedule(request: Any, schedule: str) -> HttpResponseBase:
    found = get_schedule(organization_id=request.access.organization.pk, schedule=schedule)

    def work(fields: dict[str, Any]) -> Done:
        change_schedule(schedule=found, **fields)
        return Done(reverse("console:exports"), "The schedule is changed; what it has exported stays.")

    initial = {name: getattr(found, name) for name in ("kinds", "format", "day", "active")}
    initial["mail_to"] = ", ".join(found.mail_to)
    action = Action("Change schedule", "Change it", work, crumbs=(_list(),))
    return form_page(request, ChangedScheduleForm(posted(request), initial=initial), action)


def _list() -> tuple[str, str]:
    return reverse("console:exports"), "Exports"
