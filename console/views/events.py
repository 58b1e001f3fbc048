from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from django.http import HttpResponseBase
from django.shortcuts import render

from accounts.facade import ApiKey, api_keys_of
from agents.facade import DECISION, INFERENCE_CALL, TASK, TOOL_CALL, TURN
from console.access import page
from console.queries.events import search_events
from console.queries.pages import PAGE
from kernel.clock import system_clock
from kernel.errors import InvalidError, NotFoundError
from kernel.period import midnight
from metering.facade import EventQuestion, find_event

#: What agents record; any other type may be asked for too.
KNOWN_TYPES = (TASK, TURN, DECISION, TOOL_CALL, INFERENCE_CALL)

_FILTERS = ("customer", "type", "agent", "task", "sender", "from", "to")


@page()
def events(request: Any) -> HttpResponseBase:
    asked = {name: request.GET.get(name, "").strip() for name in _FILTERS}
    question = EventQuestion(
        organization_id=request.access.organization.pk,
        customer=asked["customer"] or None,
        type=asked["type"] or None,
        start=midnight_of(asked, "from", request.zone),
        end=midnight_of(asked, "to", request.zone, days_later=1),
        sent_by=asked["sender"] or None,
        data={name: value for name, value in (("agent", asked["agent"]), ("task_id", asked["task"])) if value},
    )
    found = search_events(question, limit=PAGE, cursor=request.GET.get("cursor"), now=system_clock())
    context = {
        "events": found.events,
        "next_cursor": found.next_cursor,
        "looked_back_to": found.looked_back_to,
        "asked": asked,
        "is_filtered": any(asked.values()),
        "query": {name: value for name, value in asked.items() if value},
        "types": KNOWN_TYPES,
    }
    partial = request.headers.get("HX-Request") == "true"
    return render(request, "console/_event_rows.html" if partial else "console/events.html", context)


@page()
def event(request: Any, identity: UUID) -> HttpResponseBase:
    """One event as it was sent, and whether it was taken back since."""
    found = find_event(organization_id=request.access.organization.pk, identity=identity)
    if found is None:
        raise NotFoundError("There is no such event")
    context = {
        "event": found,
        "json": json.dumps(found.data, indent=2, ensure_ascii=False, default=str),
        "correction": getattr(found, "correction", None),
        "sender": sender_of(request.access.organization.pk, found.sent_by),
        "task_id": found.data.get("task_id") if isinstance(found.data, dict) else None,
    }
    return render(request, "console/event.html", context)


def sender_of(organization_id: int, sent_by: str | None) -> ApiKey | None:
    """The API key that sent an event; None for one that a member or the system sent."""
    return api_keys_of(organization_id).filter(pk=sent_by).first() if sent_by else None


def midnight_of(asked: Mapping[str, str], name: str, zone: ZoneInfo, *, days_later: int = 0) -> datetime | None:
    """The midnight at which a day of the form begins; None where none was given, `InvalidError` for what is no day."""
    if not asked[name]:
        return None
    try:
        return midnight(date.fromisoformat(asked[name]) + timedelta(days=days_later), zone)
    except (ValueError, OverflowError):
        raise InvalidError(f"{name} must be a day such as 2026-10-01", code=f"{name}_invalid") from None
