"""One's own account: the password, the second factor, and where one is signed in."""

from __future__ import annotations

import io
from functools import partial
from typing import Any

import segno
from django.contrib import messages
from django.contrib.auth import login, update_session_auth_hash
from django.http import HttpRequest, HttpResponseBase
from django.shortcuts import redirect, render
from django.utils.safestring import SafeString, mark_safe
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods
from django_otp import DEVICE_ID_SESSION_KEY
from django_otp import login as otp_login

from accounts.facade import (
    TooManyTries,
    begin_two_factor,
    change_password,
    confirm_two_factor,
    disable_two_factor,
    end_session,
    end_sessions,
    has_two_factor,
    is_session,
    record_person,
    recovery_codes_left,
    renew_recovery_codes,
    request_password_reset,
    reset_password,
    sessions_of,
    user_of_reset,
)
from console import tries
from console.access import page
from console.confirming import confirm, is_confirmed
from console.devices import device_of
from kernel.clock import system_clock
from kernel.errors import ConflictError, InvalidError, NotFoundError
from rest.access import Permission
from rest.links import public_link

_POST = ("POST",)


@page(before_two_factor=True)
def security(request: Any) -> HttpResponseBase:
    context = {
        "has_two_factor": has_two_factor(request.user),
        "codes_left": recovery_codes_left(request.user),
        "is_asked_for": request.access.organization.requires_two_factor,
        "is_confirmed": is_confirmed(request),
        "sessions": listed_sessions(request, request.user),
    }
    return render(request, "console/security.html", context)


def listed_sessions(request: Any, user: Any) -> list[dict[str, Any]]:
    """The sessions of `user` for a table, at most a hundred; `is_this` marks the one that the page is opened in."""
    return [
        {"session": one, "device": device_of(one.user_agent), "is_this": is_session(one, request.session.session_key)}
        for one in sessions_of(user, now=system_clock())[:100]
    ]


@page(may=Permission.OWN_ACCOUNT, methods=_POST, before_two_factor=True)
def end_one(request: Any, session: str) -> HttpResponseBase:
    """Ends one of one's own sessions; the present one is ended by signing out."""
    end_session(user=request.user, session=session)
    messages.success(request, "The session is ended.")
    return redirect("console:security")


@page(may=Permission.OWN_ACCOUNT, methods=("GET", "HEAD", "POST"), before_two_factor=True, confirmed=True)
def set_up(request: Any) -> HttpResponseBase:
    """The QR code for the app, and the field for its first code. Recovery codes are the answer, shown this once."""
    if request.method != "POST":
        if has_two_factor(request.user):
            return redirect("console:security")
        return _set_up_page(request)
    try:
        device, codes = confirm_two_factor(user=request.user, code=request.POST.get("code", "")[:20])
    except InvalidError as error:
        return _set_up_page(request, error=error.detail)
    _end_other_sessions(request)
    otp_login(request, device)
    return render(request, "console/recovery_codes.html", {"codes": codes, "is_new": True})


def _set_up_page(request: Any, error: str = "") -> HttpResponseBase:
    device = begin_two_factor(request.user)
    secret = device.config_url.partition("secret=")[2].partition("&")[0]
    context = {
        "qr": _qr(device.config_url),
        "secret": " ".join(secret[i : i + 4] for i in range(0, len(secret), 4)),
        "error": error,
        "is_confirmed": is_confirmed(request),
    }
    return render(request, "console/two_factor.html", context, status=422 if error else 200)


def _qr(address: str) -> SafeString:
    """The address as an SVG without a style of its own; nothing of a person is in it as markup."""
    drawn = io.BytesIO()
    segno.make(address, error="m").save(
        drawn, kind="svg", xmldecl=False, svgns=True, border=3, scale=5, dark="#000", light="#fff", omitsize=False,
        svgclass="qr", lineclass=None, title="QR code for an authenticator app",
    )  # fmt: skip
    return mark_safe(drawn.getvalue().decode())  # noqa: S308 - made by segno out of black and white squares


@page(may=Permission.OWN_ACCOUNT, methods=_POST, before_two_factor=True, confirmed=True)
def new_codes(request: Any) -> HttpResponseBase:
    codes = renew_recovery_codes(request.user)
    return render(request, "console/recovery_codes.html", {"codes": codes, "is_new": False})


@page(may=Permission.OWN_ACCOUNT, methods=_POST, before_two_factor=True, confirmed=True)
def switch_off(request: Any) -> HttpResponseBase:
    """One's own second factor, unless the organization asks for it."""
    if request.access.organization.requires_two_factor:
        raise ConflictError(
            f"{request.access.organization.name} asks its members for a second factor", code="two_factor_required"
        )
    disable_two_factor(request.user)
    request.session.pop(DEVICE_ID_SESSION_KEY, None)
    request.user.refresh_from_db()
    update_session_auth_hash(request, request.user)
    messages.success(request, "Two-factor sign-in is switched off.")
    return redirect("console:security")


@page(may=Permission.OWN_ACCOUNT, methods=_POST, before_two_factor=True)
def password(request: Any) -> HttpResponseBase:
    new = request.POST.get("password", "")
    try:
        tries.take(request, what="change_password", account=request.user.email)
        change_password(user=request.user, current=request.POST.get("current", ""), password=new)
    except (InvalidError, TooManyTries) as error:
        messages.error(request, error.detail)
        return redirect("console:security")
    tries.forget(request, what="change_password", account=request.user.email)
    update_session_auth_hash(request, request.user)
    confirm(request)
    messages.success(request, "Your password is changed. You are signed out everywhere else.")
    return redirect("console:security")


@page(may=Permission.OWN_ACCOUNT, methods=_POST, before_two_factor=True)
def sign_out_elsewhere(request: Any) -> HttpResponseBase:
    _end_other_sessions(request)
    record_person(request.user, "person.sign_out_everywhere")
    messages.success(request, "You are signed out everywhere else.")
    return redirect("console:security")


def _end_other_sessions(request: Any) -> None:
    """All sessions of this person but the present one, which goes on under a new key."""
    end_sessions(request.user)
    request.user.refresh_from_db(fields=["sessions_ended"])
    update_session_auth_hash(request, request.user)


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def forgotten(request: HttpRequest) -> HttpResponseBase:
    """Asks for a link that sets a new password. The answer is the same whether the address has an account or not."""
    if request.method != "POST":
        return render(request, "console/password_forgotten.html")
    email = request.POST.get("email", "")[:254]
    try:
        tries.take_mail(request, what="password_reset", account=email)
        request_password_reset(email=email, now=system_clock(), link_of=partial(public_link, "console:new_password"))
    except TooManyTries:
        pass  # the same answer: whoever asks often learns nothing by it
    return render(request, "console/password_forgotten.html", {"is_sent": True})


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def new_password(request: HttpRequest, uid: str, reset: str) -> HttpResponseBase:
    """Sets a new password by the link of a mail."""
    error = ""
    try:
        user_of_reset(uid=uid, token=reset)
        if request.method == "POST":
            user = reset_password(uid=uid, token=reset, password=request.POST.get("password", ""))
            if has_two_factor(user):
                messages.success(request, "Your password is set. Sign in with it.")
                return redirect("console:sign_in")
            login(request, user, backend="django.contrib.auth.backends.ModelBackend")
            confirm(request)
            messages.success(request, "Your password is set. You are signed out everywhere else.")
            return redirect("console:overview")
    except NotFoundError as gone:
        return render(request, "console/link_gone.html", {"problem": gone}, status=404)
    except InvalidError as weak:
        error = weak.detail
    return render(request, "console/new_password.html", {"error": error}, status=422 if error else 200)
