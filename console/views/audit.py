"""The audit trail: who did what, by actor, action, target and days, with what was before and after."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from typing import Any

from django.http import HttpResponseBase, StreamingHttpResponse
from django.shortcuts import render

from accounts.facade import AuditEntry, audit_choices, audit_entries_of
from console.access import page
from console.queries.audit import entry_rows
from console.queries.pages import page_of
from console.views.events import midnight_of
from kernel.clock import to_rfc3339
from kernel.errors import InvalidError
from kernel.spreadsheets import csv_json, csv_text
from rest.access import Permission

_FILTERS = ("actor", "action", "target", "api_key", "address", "from", "to")
_MOST_ROWS = 100_000


@page(may=Permission.SEE_AUDIT)
def audit(request: Any) -> HttpResponseBase:
    """Entries, newest first; as rows where a page asks for more of them."""
    asked = _asked(request)
    found = page_of(_rows(request, asked), request.GET.get("cursor"), newest_first=True)
    actors, actions = audit_choices(request.access.organization.pk)
    context = {
        "entries": entry_rows(request.access.organization.pk, found.rows),
        "next_cursor": found.next_cursor,
        "asked": asked,
        "query": {name: value for name, value in asked.items() if value},
        "is_filtered": any(asked.values()),
        "actors": actors,
        "actions": sorted({*actions, *(action.partition(".")[0] for action in actions)}),
    }
    partial = request.headers.get("HX-Request") == "true"
    return render(request, "console/_audit_rows.html" if partial else "console/audit.html", context)


@page(may=Permission.SEE_AUDIT)
def audit_csv(request: Any) -> HttpResponseBase:
    """The same entries as a file, at most 100,000 of them."""
    rows = _rows(request, _asked(request)).order_by("-id")[:_MOST_ROWS]
    answer = StreamingHttpResponse(_lines(rows.iterator(chunk_size=2000)), content_type="text/csv; charset=utf-8")
    answer["Content-Disposition"] = 'attachment; filename="audit.csv"'
    return answer


def _asked(request: Any) -> dict[str, str]:
    asked = {name: request.GET.get(name, "").strip() for name in _FILTERS}
    if any(len(value) > 254 for value in asked.values()):
        raise InvalidError("A filter has at most 254 characters", code="filter_invalid")
    return asked


def _rows(request: Any, asked: dict[str, str]) -> Any:
    return audit_entries_of(
        request.access.organization.pk,
        actor=asked["actor"] or None,
        action=asked["action"] or None,
        target=asked["target"] or None,
        api_key=asked["api_key"] or None,
        address=asked["address"] or None,
        start=midnight_of(asked, "from", request.zone),
        end=midnight_of(asked, "to", request.zone, days_later=1),
    )


class _Line:
    """A file that gives back what is written to it."""

    @staticmethod
    def write(text: str) -> str:
        return text


def _lines(entries: Iterator[AuditEntry]) -> Iterator[str]:
    writer = csv.writer(_Line())
    yield writer.writerow(["id", "at", "actor", "action", "target", "api_key", "address", "detail"])
    for one in entries:
        texts = [csv_text(text) for text in (one.actor, one.action, one.target, one.api_key or "", one.address or "")]
        yield writer.writerow([one.pk, to_rfc3339(one.at), *texts, csv_json(json.dumps(one.detail, sort_keys=True))])
