"""The overview as it changes: its tiles and latest events, for everyone who has it open."""

from __future__ import annotations

import hashlib
import json
from typing import Any

from django.conf import settings
from django.http import HttpResponse, HttpResponseBase
from django.template.loader import render_to_string
from django.utils import timezone

from console.access import Access, page
from console.queries.tiles import overview_tiles
from console.views.overview import figures_of, latest_events
from metering.facade import Kept, event_stream, live_answer

#: So many seconds somebody is taken for signed in, and for a member, without being looked up again.
KEPT_SECONDS = 10.0
#: Invoices and prices change tiles too, and are not announced.
_LONGEST = 30.0

_seen: Kept[tuple[Access, Any]] = Kept(seconds=KEPT_SECONDS)


def overview_live(request: Any) -> HttpResponseBase:
    """Server-sent events with the overview's parts as HTML. `organization` says which one the page shows.

    204, which ends an EventSource, for somebody who is signed out or looks at another organization by now.
    """
    cookie = request.COOKIES.get(settings.SESSION_COOKIE_NAME, "")
    key = hashlib.sha256(f"{cookie}?{request.META['QUERY_STRING']}".encode()).digest()
    seen = _seen.get(key)
    if seen is None:
        return _look_up(request, key=key) if request.user.is_authenticated else HttpResponse(status=204)
    request.access, request.zone = seen
    with timezone.override(request.zone):
        return _stream(request)


@page()
def _look_up(request: Any, key: bytes) -> HttpResponseBase:
    if request.access.organization.public_id != request.GET.get("organization"):
        return HttpResponse(status=204)
    response = _stream(request)
    _seen.keep(key, (request.access, request.zone))
    return response


def _stream(request: Any) -> HttpResponse:
    organization_id = request.access.organization.pk

    def find() -> bytes:
        figures = figures_of(request)
        parts = {"events": render_to_string("console/_latest_events.html", {"events": latest_events(organization_id)})}
        if figures.usage.meters:
            parts["tiles"] = render_to_string("console/_tiles.html", {"tiles": overview_tiles(figures)})
        return json.dumps(parts).encode()

    question = ("overview", request.zone.key, tuple(sorted(request.GET.items())))
    answer = live_answer(organization_id, question, find, longest=_LONGEST)
    return event_stream(request, answer, event="overview")
