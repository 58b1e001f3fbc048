"""Webhook endpoints, what is sent to them, and how that went."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

from django import forms
from django.contrib import messages
from django.http import HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse

from console.access import page
from console.confirming import is_confirmed
from console.forms import Action, DayField, Done, PlainForm, form_page, posted, start_of
from console.queries.pages import page_of
from kernel.clock import system_clock
from kernel.errors import ConflictError, InvalidError
from notifications.facade import (
    EVENT_TYPES,
    OVERLAP_HOURS,
    DeliveryStatus,
    WebhookEndpoint,
    create_endpoint,
    delete_endpoint,
    deliveries_of,
    endpoints_of,
    get_delivery,
    get_endpoint,
    replay_delivery,
    replay_failed,
    reveal_secret,
    rotate_secret,
    send_test,
    update_endpoint,
)
from rest.access import Permission

_BOTH, _POST = ("GET", "HEAD", "POST"), ("POST",)

#: Where the session keeps whose secret was just made, until it is shown, once.
_NEW_SECRET = "console.webhook_secret"  # noqa: S105 - a name


class EndpointForm(PlainForm):
    url = forms.CharField(
        label="URL", max_length=2000, help_text="Where events are sent by POST.", widget=forms.TextInput({"size": 60})
    )
    description = forms.CharField(max_length=200, required=False)
    event_types = forms.MultipleChoiceField(
        label="Events",
        required=False,
        choices=[(one, one) for one in EVENT_TYPES],
        widget=forms.CheckboxSelectMultiple,
        help_text="None chosen: all of them, those of later versions too.",
    )


class SinceForm(PlainForm):
    since = DayField(label="Made since")


@page(may=Permission.SEE_WEBHOOKS)
def webhooks(request: Any) -> HttpResponseBase:
    return render(request, "console/webhooks.html", {"endpoints": list(endpoints_of(request.access.organization.pk))})


@page(may=Permission.MANAGE_WEBHOOKS, methods=_BOTH, confirmed=True)
def create(request: Any) -> HttpResponseBase:
    def work(fields: dict[str, Any]) -> Done:
        made = create_endpoint(
            organization_id=request.access.organization.pk, now=system_clock(), actor=request.user.email, **fields
        )
        return _with_secret(request, made, "The endpoint is made and listens from now on.")

    action = Action("New endpoint", "Make it", work, crumbs=(_list(),))
    first = {} if is_confirmed(request) else {"about_template": "console/_confirm_first.html"}
    return form_page(request, EndpointForm(posted(request)), action, first)


@page(may=Permission.SEE_WEBHOOKS)
def webhook(request: Any, endpoint: str) -> HttpResponseBase:
    """An endpoint with its deliveries, newest first."""
    found, asked = _found(request, endpoint), request.GET
    status = asked.get("status") or None
    if status and status not in DeliveryStatus.values:
        raise InvalidError(f"status is one of {', '.join(DeliveryStatus.values)}", code="status_invalid")
    filters = {name: asked.get(name) or None for name in ("status", "type", "subject")}
    rows = deliveries_of(request.access.organization.pk, endpoint=found.pk, **filters)
    deliveries = page_of(rows, asked.get("cursor"), newest_first=True)
    is_new = request.session.pop(_NEW_SECRET, None) == found.pk
    context = {
        "endpoint": found,
        "secret": reveal_secret(found) if is_new else "",
        "overlap_hours": OVERLAP_HOURS,
        "is_confirmed": is_confirmed(request),
        "deliveries": deliveries.rows,
        "next_cursor": deliveries.next_cursor,
        "query": {name: value for name, value in filters.items() if value},
        "statuses": DeliveryStatus.values,
        "types": [*EVENT_TYPES, "webhook.test"],
        "now": system_clock(),
    }
    return render(request, "console/webhook.html", context)


@page(may=Permission.MANAGE_WEBHOOKS, methods=_BOTH)
def edit(request: Any, endpoint: str) -> HttpResponseBase:
    found = _found(request, endpoint)

    def work(fields: dict[str, Any]) -> Done:
        update_endpoint(endpoint=found, now=system_clock(), actor=request.user.email, **fields)
        return Done(_address(found), "The endpoint is changed.")

    initial = {name: getattr(found, name) for name in EndpointForm.base_fields}
    action = Action("Change endpoint", "Change it", work, crumbs=(_list(), (_address(found), found.url)))
    return form_page(request, EndpointForm(posted(request), initial=initial), action)


@page(may=Permission.MANAGE_WEBHOOKS, methods=_POST, confirmed=True)
def rotate(request: Any, endpoint: str) -> HttpResponseBase:
    found = rotate_secret(endpoint=_found(request, endpoint), now=system_clock(), actor=request.user.email)
    done = _with_secret(request, found, f"The secret is another one. The old one signs too for {OVERLAP_HOURS} hours.")
    messages.success(request, done.said)
    return redirect(done.where)


@page(may=Permission.MANAGE_WEBHOOKS, methods=_POST)
def enable(request: Any, endpoint: str) -> HttpResponseBase:
    """Enables an endpoint, or disables it: the button says which."""
    found, enabled = _found(request, endpoint), request.POST.get("enabled") == "1"
    update_endpoint(endpoint=found, now=system_clock(), enabled=enabled, actor=request.user.email)
    said = "The endpoint listens again." if enabled else "Nothing is sent to this endpoint any more."
    messages.success(request, said)
    return redirect(_address(found))


@page(may=Permission.MANAGE_WEBHOOKS, methods=_POST)
def delete(request: Any, endpoint: str) -> HttpResponseBase:
    found = _found(request, endpoint)
    delete_endpoint(endpoint=found, actor=request.user.email)
    messages.success(request, f"{found.url} is removed with its log.")
    return redirect("console:webhooks")


@page(may=Permission.BUILD, methods=_POST)
def test(request: Any, endpoint: str) -> HttpResponseBase:
    found = _found(request, endpoint)
    try:
        event = send_test(endpoint=found, now=system_clock())
        messages.success(request, f"The test event {event.public_id} is on its way: look again in a moment.")
    except ConflictError as error:
        messages.error(request, error.detail)
    return redirect(_address(found))


@page(may=Permission.BUILD, methods=_BOTH)
def replay_all(request: Any, endpoint: str) -> HttpResponseBase:
    """Sends again what was given up."""
    found = _found(request, endpoint)

    def work(fields: dict[str, Any]) -> Done:
        since = start_of(fields["since"], request.zone.key)
        count = replay_failed(endpoint=found, since=since, now=system_clock(), actor=request.user.email)
        return Done(_address(found), f"{count} deliveries are sent again.")

    about = "All deliveries to this endpoint that were given up and made since that day, each subject's in its order."
    action = Action("Send failed again", "Send again", work, (_list(), (_address(found), found.url)), about)
    initial = {"since": (system_clock() - timedelta(days=7)).astimezone(request.zone).date()}
    return form_page(request, SinceForm(posted(request), initial=initial), action)


@page(may=Permission.SEE_WEBHOOKS)
def delivery(request: Any, delivery: str) -> HttpResponseBase:
    """One delivery: what was sent, and each attempt."""
    found = get_delivery(organization_id=request.access.organization.pk, delivery=delivery)
    payload = json.dumps(json.loads(found.event.body), indent=2, ensure_ascii=False)
    context = {
        "delivery": found,
        "payload": payload,
        "attempts": list(found.attempt_log.all()),
        "may_replay": found.endpoint.enabled and found.status in (DeliveryStatus.DELIVERED, DeliveryStatus.FAILED),
        "is_sending": found.leased_until is not None and found.leased_until > system_clock(),
    }
    return render(request, "console/webhook_delivery.html", context)


@page(may=Permission.BUILD, methods=_POST)
def replay(request: Any, delivery: str) -> HttpResponseBase:
    found = get_delivery(organization_id=request.access.organization.pk, delivery=delivery)
    try:
        replay_delivery(delivery=found, now=system_clock(), actor=request.user.email)
        messages.success(request, "It is sent once more, under the same id.")
    except ConflictError as error:
        messages.error(request, error.detail)
    return redirect("console:webhook_delivery", found.public_id)


def _found(request: Any, endpoint: str) -> WebhookEndpoint:
    return get_endpoint(organization_id=request.access.organization.pk, endpoint=endpoint)


def _with_secret(request: Any, endpoint: WebhookEndpoint, said: str) -> Done:
    request.session[_NEW_SECRET] = endpoint.pk
    return Done(_address(endpoint), said)


def _address(endpoint: WebhookEndpoint) -> str:
    return reverse("console:webhook", args=[endpoint.pk])


def _list() -> tuple[str, str]:
    return reverse("console:webhooks"), "Webhooks"
