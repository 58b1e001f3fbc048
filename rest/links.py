"""Addresses of this server's pages, for mail and for whatever else is sent or kept."""

from __future__ import annotations

from django.conf import settings
from django.http import HttpRequest
from django.urls import reverse


def public_link(name: str, *args: str) -> str:
    """The full address of the page `name`, below `TAXIMETER_PUBLIC_URL`.

    Never made from a request: its Host header is written by the client, and a link sent to someone else would carry it
    (CWE-640).
    """
    return str(settings.PUBLIC_URL + reverse(name, args=args))


def public_url(request: HttpRequest) -> dict[str, str]:
    """Context processor: `public_url`, for commands that pages show to be copied."""
    return {"public_url": settings.PUBLIC_URL}
