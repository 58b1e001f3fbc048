"""The organization's API keys: made (the secret is shown once), and revoked."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.contrib import messages
from django.http import HttpResponseBase
from django.shortcuts import redirect, render

from accounts.facade import api_keys_of, create_api_key, get_api_key, revoke_api_key
from billing.facade import get_customer
from console.access import BUILD_ROLES, page
from console.confirming import is_confirmed
from console.queries.pages import page_of
from kernel.clock import system_clock
from kernel.errors import InvalidError, TaximeterError

SCOPES = {
    "ingest": "Send events, ask the models",
    "read": "Read everything",
    "write": "Change everything but what follows",
    "admin": "All of it, with members, keys, models and payment settings",
}
_DAYS = {"": None, "30": 30, "90": 90, "365": 365}
_POST = ("POST",)


@page(roles=BUILD_ROLES)
def api_keys(request: Any) -> HttpResponseBase:
    return _page(request)


def _page(request: Any, secret: str = "") -> HttpResponseBase:
    shows_revoked = request.GET.get("revoked") == "1"
    rows = api_keys_of(request.access.organization.pk)
    if not shows_revoked:
        rows = rows.filter(revoked_at=None)
    found = page_of(rows, request.GET.get("cursor"), newest_first=True)
    context = {
        "keys": found.rows,
        "next_cursor": found.next_cursor,
        "shows_revoked": shows_revoked,
        "scopes": SCOPES if "admin" in _givable(request) else {k: v for k, v in SCOPES.items() if k != "admin"},
        "secret": secret,
        "now": system_clock(),
        "is_confirmed": is_confirmed(request),
    }
    return render(request, "console/api_keys.html", context)


def _givable(request: Any) -> tuple[str, ...]:
    """A key may do what its maker may: a developer makes none that could make members or more keys."""
    return tuple(SCOPES) if "manage_members" in request.access.may else ("ingest", "read", "write")


@page(roles=BUILD_ROLES, methods=_POST, confirmed=True)
def create(request: Any) -> HttpResponseBase:
    asked, now = request.POST, system_clock()
    try:
        scopes = asked.getlist("scope")
        if not set(scopes) <= set(_givable(request)):
            raise InvalidError("Your role may not give this scope", code="scope_above_own")
        if asked.get("days", "") not in _DAYS:
            raise InvalidError("Choose how long the key works", code="lifetime_invalid")
        days = _DAYS[asked.get("days", "")]
        customer = asked.get("customer", "").strip() or None
        if customer is not None:
            customer = get_customer(organization_id=request.access.organization.pk, customer=customer).key
        _, secret = create_api_key(
            organization=request.access.organization,
            scopes=scopes,
            name=asked.get("name", "").strip(),
            customer=customer,
            expires_at=None if days is None else now + timedelta(days=days),
        )
    except TaximeterError as error:
        messages.error(request, error.detail)
        return redirect("console:api_keys")
    return _page(request, secret=secret)


@page(roles=BUILD_ROLES, methods=_POST, confirmed=True)
def revoke(request: Any, api_key: str) -> HttpResponseBase:
    found = get_api_key(organization_id=request.access.organization.pk, api_key=api_key)
    if "admin" in found.scopes and "admin" not in _givable(request):
        raise InvalidError("Your role may not revoke a key with the scope 'admin'", code="scope_above_own")
    revoke_api_key(key=found, at=system_clock())
    messages.success(request, f"{found.name or found.hint} opens nothing any more.")
    return redirect("console:api_keys")
