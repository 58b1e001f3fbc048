"""The organization's API keys: created (the secret is shown once), reviewed, handed over and revoked."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from django.contrib import messages
from django.http import HttpResponseBase
from django.shortcuts import redirect, render

from accounts.facade import (
    ApiKey,
    Standing,
    api_keys_of,
    create_api_key,
    get_api_key,
    get_member,
    hand_over_api_key,
    keys_to_review,
    members_of,
    review_api_key,
    revoke_api_key,
    standing_of,
)
from billing.facade import get_customer
from console.access import page
from console.confirming import is_confirmed
from console.queries.pages import page_of
from kernel.clock import system_clock
from kernel.errors import InvalidError, TaximeterError
from rest.access import SCOPE_WORDS, Permission, scopes_of_role

_DAYS = {"": None, "30": 30, "90": 90, "365": 365}
_POST = ("POST",)
#: How many keys for review are shown at once.
_REVIEWED_AT_ONCE = 50


@page(may=Permission.MANAGE_KEYS)
def api_keys(request: Any) -> HttpResponseBase:
    return _page(request)


def _page(request: Any, secret: str = "") -> HttpResponseBase:
    organization_id, now = request.access.organization.pk, system_clock()
    shows_revoked = request.GET.get("revoked") == "1"
    rows = api_keys_of(organization_id)
    if not shows_revoked:
        rows = rows.filter(revoked_at=None)
    found = page_of(rows, request.GET.get("cursor"), newest_first=True)
    standing = standing_of(request.user, organization_id)
    row_of = _presenter(request, standing, now)
    context = {
        "keys": [row_of(key) for key in found.rows],
        "to_review": [row_of(key) for key in keys_to_review(organization_id)[:_REVIEWED_AT_ONCE]],
        "next_cursor": found.next_cursor,
        "shows_revoked": shows_revoked,
        "scopes": {scope: SCOPE_WORDS[scope] for scope in standing.scopes},
        "secret": secret,
        "is_confirmed": is_confirmed(request),
    }
    return render(request, "console/api_keys.html", context)


def _presenter(request: Any, standing: Standing, now: datetime) -> Callable[[ApiKey], dict[str, Any]]:
    """Makes a row of a key: its status, and what this person may do with it."""
    members = [one for one in members_of(request.access.organization.pk) if one.user.is_active]

    def row(key: ApiKey) -> dict[str, Any]:
        may_manage = standing.may_manage(key)
        takers = [one for one in members if set(key.scopes) <= set(scopes_of_role(one.role))] if may_manage else []
        return {
            "key": key,
            "status": key.status(now),
            "may_manage": may_manage,
            "may_revoke": may_manage or key.maker_id == request.user.pk,
            "takers": [one for one in takers if one.user_id != key.maker_id],
        }

    return row


@page(may=Permission.MANAGE_KEYS, methods=_POST, confirmed=True)
def create(request: Any) -> HttpResponseBase:
    asked, now = request.POST, system_clock()
    try:
        if asked.get("days", "") not in _DAYS:
            raise InvalidError("Choose how long the key works", code="lifetime_invalid")
        days = _DAYS[asked.get("days", "")]
        customer = asked.get("customer", "").strip() or None
        if customer is not None:
            customer = get_customer(organization_id=request.access.organization.pk, customer=customer).key
        _, secret = create_api_key(
            organization=request.access.organization,
            scopes=asked.getlist("scope"),
            name=asked.get("name", "").strip(),
            customer=customer,
            expires_at=None if days is None else now + timedelta(days=days),
            made_by=request.user,
        )
    except TaximeterError as error:
        messages.error(request, error.detail)
        return redirect("console:api_keys")
    return _page(request, secret=secret)


@page(may=Permission.MANAGE_KEYS, methods=_POST, confirmed=True)
def revoke(request: Any, api_key: str) -> HttpResponseBase:
    found = get_api_key(organization_id=request.access.organization.pk, api_key=api_key)
    revoke_api_key(key=found, at=system_clock(), by=request.user)
    messages.success(request, f"{found.name or found.hint} opens nothing any more.")
    return redirect("console:api_keys")


@page(may=Permission.MANAGE_KEYS, methods=_POST, confirmed=True)
def hand_over(request: Any, api_key: str) -> HttpResponseBase:
    """Make another member answer for a key."""
    organization_id = request.access.organization.pk
    found = get_api_key(organization_id=organization_id, api_key=api_key)
    member = get_member(organization_id=organization_id, member=request.POST.get("member", ""))
    handed = hand_over_api_key(key=found, member=member, by=request.user)
    messages.success(request, f"{member.user.email} answers for {handed.name or handed.hint} now.")
    return redirect("console:api_keys")


@page(may=Permission.MANAGE_KEYS, methods=_POST, confirmed=True)
def review(request: Any, api_key: str) -> HttpResponseBase:
    """Keep a key that is listed for review."""
    found = get_api_key(organization_id=request.access.organization.pk, api_key=api_key)
    review_api_key(key=found, by=request.user)
    messages.success(request, f"{found.name or found.hint} is kept.")
    return redirect("console:api_keys")
