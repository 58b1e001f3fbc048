"""Mail: what was sent and what was not, in whose name, and how each kind looks."""

from __future__ import annotations

from typing import Any

from django import forms
from django.conf import settings
from django.contrib import messages
from django.http import Http404, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse

from console.access import page
from console.forms import Action, Done, PlainForm, form_page, posted
from console.middleware import POLICY
from console.queries.pages import page_of
from kernel.clock import system_clock
from kernel.errors import ConflictError, InvalidError
from notifications.facade import (
    MAIL_KINDS,
    MailStatus,
    change_mail_settings,
    get_mail,
    mail_settings_of,
    mails_of,
    retry_mail,
    sample_mail,
    written_mail,
)
from rest.access import Permission

_BOTH, _POST = ("GET", "HEAD", "POST"), ("POST",)

#: A page with a mail in a frame, and the mail: no script, nothing from elsewhere, only its own inline styles.
_FRAMING = POLICY + "; frame-src 'self'"
_FRAMED = (
    "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'self'; sandbox"
)


class MailSettingsForm(PlainForm):
    sender_name = forms.CharField(
        max_length=100, required=False, help_text="Beside the sender's address. Empty: the organization's name."
    )
    reply_to = forms.EmailField(label="Answers go to", required=False)
    accent = forms.RegexField(
        r"^#[0-9a-fA-F]{6}\Z",
        label="Colour",
        required=False,
        help_text="Of buttons, such as #1f4e79.",
        error_messages={"invalid": "A colour is written like #1f4e79"},
    )
    sent = forms.MultipleChoiceField(
        label="What is sent",
        required=False,
        choices=[(kind, words) for kind, words in MAIL_KINDS.items()],
        widget=forms.CheckboxSelectMultiple,
    )


@page()
def mail(request: Any) -> HttpResponseBase:
    """The log, newest first."""
    asked = request.GET
    kind, status = asked.get("kind") or None, asked.get("status") or None
    if (kind and kind not in MAIL_KINDS) or (status and status not in MailStatus.values):
        raise InvalidError("There is no such kind or status of mail", code="filter_invalid")
    rows = mails_of(request.access.organization.pk, kind=kind, status=status)
    found = page_of(rows, asked.get("cursor"), newest_first=True)
    context = {
        "mails": found.rows,
        "next_cursor": found.next_cursor,
        "query": {name: value for name, value in (("kind", kind), ("status", status)) if value},
        "kinds": MAIL_KINDS,
        "statuses": MailStatus.values,
        "is_written_to_files": "eml_files" in settings.EMAIL_BACKEND,
    }
    return render(request, "console/mail.html", context)


@page()
def message(request: Any, mail: str) -> HttpResponseBase:
    found = get_mail(organization_id=request.access.organization.pk, mail=mail)
    context = {
        "mail": found,
        "about": MAIL_KINDS[found.kind],
        "written": written_mail(found),
        "may_retry": found.status == MailStatus.FAILED and request.access.may_move_money,
    }
    return _framing(render(request, "console/mail_message.html", context))


@page()
def message_html(request: Any, mail: str) -> HttpResponseBase:
    """The mail alone, for the frame."""
    written = written_mail(get_mail(organization_id=request.access.organization.pk, mail=mail))
    if written is None:
        raise Http404
    return _framed(written.html)


@page(may=Permission.MOVE_MONEY, methods=_POST)
def retry(request: Any, mail: str) -> HttpResponseBase:
    found = get_mail(organization_id=request.access.organization.pk, mail=mail)
    try:
        retry_mail(mail=found, now=system_clock(), actor=request.user.email)
        messages.success(request, "The mail is sent once more.")
    except ConflictError as error:
        messages.error(request, error.detail)
    return redirect("console:mail_message", found.pk)


@page()
def previews(request: Any) -> HttpResponseBase:
    """One kind at a time, with sample data, in the organization's name and colour."""
    kind = request.GET.get("kind") or next(iter(MAIL_KINDS))
    context = {"kind": kind, "kinds": MAIL_KINDS, "written": sample_mail(request.access.organization, kind)}
    return _framing(render(request, "console/mail_previews.html", context))


@page()
def preview_html(request: Any, mail_kind: str) -> HttpResponseBase:
    return _framed(sample_mail(request.access.organization, mail_kind).html)


@page(may=Permission.MOVE_MONEY, methods=_BOTH)
def mail_settings(request: Any) -> HttpResponseBase:
    chosen = mail_settings_of(request.access.organization.pk)

    def work(fields: dict[str, Any]) -> Done:
        sent = fields.pop("sent")
        off = [kind for kind in MAIL_KINDS if kind not in sent]
        change_mail_settings(
            organization_id=request.access.organization.pk, switched_off=off, actor=request.user.email, **fields
        )
        return Done(reverse("console:mail"), "The settings of mail are changed.")

    initial = {name: getattr(chosen, name) for name in ("sender_name", "reply_to", "accent")}
    initial["sent"] = [kind for kind in MAIL_KINDS if kind not in chosen.switched_off]
    action = Action("Mail settings", "Save", work, crumbs=((reverse("console:mail"), "Mail"),))
    return form_page(request, MailSettingsForm(posted(request), initial=initial), action)


def _framing(response: HttpResponse) -> HttpResponse:
    response["Content-Security-Policy"] = _FRAMING
    return response


def _framed(html: str) -> HttpResponse:
    response = HttpResponse(html)
    response["Content-Security-Policy"] = _FRAMED
    response["X-Frame-Options"] = "SAMEORIGIN"
    return response
