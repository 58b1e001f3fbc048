"""Taking back all events that one API key sent: what it would do, and doing it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from django import forms
from django.http import HttpResponseBase
from django.urls import reverse

from accounts.facade import get_api_key
from billing.facade import preview_sender_void, void_sent_by
from console.access import page
from console.forms import Action, Done, PlainForm, form_page, posted
from kernel.clock import system_clock
from kernel.period import Period
from metering.facade import void_runs_of, work_void_run_later
from rest.access import Permission

#: Before any event.
_BEGINNING = datetime(1970, 1, 1, tzinfo=UTC)


class VoidForm(PlainForm):
    received_from = forms.DateTimeField(
        required=False,
        label="Received from",
        help_text="Such as 2026-10-01 08:00. Left empty: the first event.",
    )
    received_to = forms.DateTimeField(required=False, label="Received before", help_text="Left empty: up to now.")
    reason = forms.CharField(max_length=1000, label="Reason", help_text="Kept with each correction.")

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or {}
        start, end = cleaned.get("received_from"), cleaned.get("received_to")
        if any(given and not 1970 <= given.year <= 2999 for given in (start, end)):
            raise forms.ValidationError("Times lie between 1970 and 2999.", code="period_invalid")
        if start and end and start >= end:
            raise forms.ValidationError("The first time must be before the second.", code="period_invalid")
        return cleaned


@page(may=Permission.MOVE_MONEY, methods=("GET", "HEAD", "POST"), confirmed=True)
def void_sent(request: Any, api_key: str) -> HttpResponseBase:
    """Void everything this key sent, after a preview; a worker does the rest of a long run."""
    organization_id = request.access.organization.pk
    key = get_api_key(organization_id=organization_id, api_key=api_key)
    name, where = key.name or key.hint, f"{reverse('console:events')}?sender={key.pk}"

    def preview(fields: dict[str, Any]) -> dict[str, Any]:
        found = preview_sender_void(organization_id=organization_id, sent_by=key.pk, received=_received(fields))
        sent = found.sent
        return {"sent": sent, "billed": found.billed, "left": sent.events - sent.voided, "some": sent.customers[:20]}

    def work(fields: dict[str, Any]) -> Done:
        run = void_sent_by(
            organization_id=organization_id,
            sent_by=key.pk,
            received=_received(fields),
            reason=fields["reason"],
            now=system_clock(),
        )
        if run.finished_at is None:
            work_void_run_later(run.pk)
            return Done(
                where, f"{run.voided:,} of {run.events:,} events are voided. The rest follows in the background."
            )
        return Done(where, f"{run.voided:,} events that {name} sent are voided.")

    action = Action(
        title=f"Void everything {name} sent",
        submit="Void events",
        work=work,
        preview=preview,
        crumbs=((reverse("console:api_keys"), "API keys"),),
        about="The events stay in the log and no longer count. The times are those at which the server received them. "
        "Revoke the key first, or it goes on sending.",
        danger=True,
        once=False,
    )
    context = {
        "preview_template": "console/_void_preview.html",
        "about_template": "console/_void_runs.html",
        "runs": void_runs_of(organization_id).filter(sent_by=key.pk).order_by("-id")[:5],
    }
    return form_page(request, VoidForm(posted(request)), action, context)


def _received(fields: dict[str, Any]) -> Period:
    start = fields["received_from"] or _BEGINNING
    return Period(start, fields["received_to"] or max(system_clock(), start) + timedelta(microseconds=1))
