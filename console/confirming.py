"""The password given again, before a change that matters.

Whoever has not given it lately is asked for it in between: the page that asks carries what was filled in, and sends it
on together with the password. So nothing that was typed is lost, and none of it is kept anywhere meanwhile.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from django.contrib.auth import update_session_auth_hash
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.http import url_has_allowed_host_and_scheme

from accounts.facade import TooManyTries, record_sign_in
from console import tries
from kernel.clock import system_clock

#: How long a password that was given stands for whoever is at the keyboard.
CONFIRMED_FOR = timedelta(minutes=30)

_CONFIRMED = "console.confirmed_at"
#: What is asked in between, among the fields of the change: the password, and the page that one came from.
_FIELD, _BACK = "confirming_password", "confirming_back"
_OURS = frozenset({_FIELD, _BACK, "csrfmiddlewaretoken"})


def confirm(request: HttpRequest) -> None:
    """Whoever is signed in has just given their password."""
    request.session[_CONFIRMED] = system_clock().isoformat()


def is_confirmed(request: HttpRequest) -> bool:
    """Whether the password was given in the last `CONFIRMED_FOR`."""
    at = request.session.get(_CONFIRMED)
    return at is not None and datetime.fromisoformat(at) > system_clock() - CONFIRMED_FOR


def try_password(request: Any, password: str) -> str:
    """Why this is not the password of whoever is signed in; empty, and confirmed, where it is. A wrong one counts."""
    email, before = request.user.email, request.user.password
    try:
        tries.take(request, what="password", account=email)
    except TooManyTries as too_many:
        return f"{too_many.detail}."
    if not request.user.check_password(password):
        record_sign_in(user=request.user, action="sign_in.fail", step="confirmation")
        return "This is not your password."
    tries.forget(request, what="password", account=email)
    # Django hashes a password again where the hash is of older parameters, and a session follows the hash.
    if request.user.password != before:
        update_session_auth_hash(request, request.user)
    confirm(request)
    return ""


def asked_first(request: Any) -> HttpResponse | None:
    """The page that asks for the password before what was posted is done; None once it came with it, or is not needed.

    The view behind then finds what was filled in, without the password.
    """
    if is_confirmed(request) and _FIELD not in request.POST:
        return None
    password = request.POST.get(_FIELD)
    error = "" if password is None else try_password(request, password)
    if password is not None and not error:
        sent = request.POST.copy()
        for name in (_FIELD, _BACK):
            sent.pop(name, None)
        request.POST = sent
        return None
    sent = [(name, value) for name, values in request.POST.lists() if name not in _OURS for value in values]
    back = request.POST.get(_BACK) or request.headers.get("Referer", "")
    context = {
        "sent": [*sent, (_BACK, back)],
        "field": _FIELD,
        "address": request.get_full_path(),
        "back": back if url_has_allowed_host_and_scheme(back, {request.get_host()}) else "",
        "error": error,
    }
    return render(request, "console/confirm.html", context, status=422 if error else 200)
