"""Events that are kept and not counted, and usage that no subscription charges."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from django.contrib import messages
from django.http import HttpResponseBase
from django.shortcuts import redirect, render

from billing.facade import unassigned_usage
from console.access import page
from console.queries.pages import page_of
from kernel.clock import system_clock
from kernel.errors import ConflictError, InvalidError
from kernel.period import Period
from metering.facade import discard_event, quarantined_events, release_event
from rest.access import Permission
from rest.pagination import decode_cursor, encode_cursor

_STATES = ("quarantined", "released", "discarded")
#: Subjects that one page of unassigned usage goes through.
_SUBJECTS = 200
_ALWAYS = Period(datetime(1970, 1, 1, tzinfo=UTC), datetime(2999, 12, 31, tzinfo=UTC))
_REASONS = {
    "customer_missing": "The events name no customer",
    "customer_unknown": "No customer has this key",
    "subscription_unknown": "The customer has no such subscription",
    "not_in_force": "Outside of the subscription's time",
    "not_named": "The events name no subscription",
}


@page()
def quarantine(request: Any) -> HttpResponseBase:
    """Events that cannot be right, oldest first, each with its reason."""
    state = request.GET.get("state", _STATES[0])
    if state not in _STATES:
        raise InvalidError(f"state is one of {', '.join(_STATES)}", code="state_invalid")
    found = page_of(
        quarantined_events(request.access.organization.pk, state=state),
        request.GET.get("cursor"),
        newest_first=state != _STATES[0],
    )
    context = {
        "events": found.rows,
        "next_cursor": found.next_cursor,
        "state": state,
        "states": _STATES,
        "may_decide": state == _STATES[0] and Permission.BUILD in request.access.may,
    }
    return render(request, "console/quarantine.html", context)


@page(may=Permission.BUILD, methods=("POST",))
def release(request: Any, event: str) -> HttpResponseBase:
    try:
        released = release_event(
            organization_id=request.access.organization.pk,
            event=event,
            customer=request.POST.get("customer", "").strip() or None,
            at=system_clock(),
        )
    except (InvalidError, ConflictError) as error:
        messages.error(request, error.detail)
    else:
        messages.success(request, f"The event {released.event_id} is released and counts.")
    return redirect("console:quarantine")


@page(may=Permission.BUILD, methods=("POST",))
def discard(request: Any, event: str) -> HttpResponseBase:
    try:
        discarded = discard_event(organization_id=request.access.organization.pk, event=event, at=system_clock())
    except ConflictError as error:
        messages.error(request, error.detail)
    else:
        messages.success(request, f"The event {discarded.event_id} is discarded and never counts.")
    return redirect("console:quarantine")


@page()
def unassigned(request: Any) -> HttpResponseBase:
    """Usage that no subscription charges, by subject, with the reason."""
    cursor = request.GET.get("cursor")
    position = decode_cursor(cursor) if cursor else [None]
    if len(position) != 1 or not isinstance(position[0], str | None) or "\x00" in (position[0] or ""):
        raise InvalidError("This cursor belongs to another list", code="cursor_invalid")
    found, following = unassigned_usage(request.access.organization.pk, _ALWAYS, after=position[0], limit=_SUBJECTS)
    context = {
        "rows": [(one, _REASONS[one.reason]) for one in found],
        "next_cursor": None if following is None else encode_cursor([following]),
        "is_later": bool(cursor),
    }
    return render(request, "console/unassigned.html", context)
