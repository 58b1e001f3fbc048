from __future__ import annotations

from typing import Any

from django.http import HttpResponseBase
from django.shortcuts import render

from billing.contracts import get_credit_note
from billing.facade import credit_notes_of
from console.access import page
from console.queries.pages import page_of


@page()
def credit_notes(request: Any) -> HttpResponseBase:
    found = page_of(credit_notes_of(request.access.organization.pk), request.GET.get("cursor"), newest_first=True)
    return render(request, "console/credit_notes.html", {"rows": found.rows, "next_cursor": found.next_cursor})


@page()
def credit_note(request: Any, credit_note: str) -> HttpResponseBase:
    found = get_credit_note(organization_id=request.access.organization.pk, credit_note=credit_note)
    context = {"note": found, "lines": found.lines.select_related("line")}
    return render(request, "console/credit_note.html", context)
