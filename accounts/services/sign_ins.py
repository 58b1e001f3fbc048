"""Sign-ins, failed ones and sign-outs in the audit trail, in whatever way somebody comes in: Django tells of all."""

from __future__ import annotations

import logging
from datetime import timedelta
from typing import Any

from django.contrib.auth.signals import user_logged_in, user_logged_out, user_login_failed

from accounts.models import Membership, User
from accounts.services.audit import record_audit
from accounts.services.throttles import TooManyTries, take_use
from kernel.clock import system_clock

logger = logging.getLogger("accounts")

#: Entries about addresses that no user has: so many an hour, by which nobody can fill the trail.
MOST_UNKNOWN, UNKNOWN_WITHIN = 1_000, timedelta(hours=1)


def record_sign_in(*, user: User, action: str, **detail: Any) -> None:
    """Write down what came of a user's try to sign in: in each of their organizations, or without one in none."""
    organizations: list[int | None] = list(
        Membership.objects.filter(user=user).values_list("organization_id", flat=True)
    )
    for organization_id in organizations or [None]:
        record_audit(organization_id=organization_id, actor=user.email, action=action, target=user.email, **detail)


def record_unknown_sign_in(*, email: str) -> None:
    """Write down that somebody tried to sign in with an address that no user has. Operators see it in /admin."""
    try:
        take_use(what="audit", who="unknown sign-ins", most=MOST_UNKNOWN, within=UNKNOWN_WITHIN, now=system_clock())
    except TooManyTries:
        logger.warning("a failed sign-in of an unknown address is not in the audit trail: there are too many")
        return
    record_audit(organization_id=None, actor="unknown", action="sign_in.fail", target=email)


def _signed_in(sender: object, request: Any, user: Any, **_: Any) -> None:
    if _is_real(request):
        record_sign_in(user=user, action="sign_in.succeed")


def _signed_out(sender: object, request: Any, user: Any, **_: Any) -> None:
    if _is_real(request) and user is not None:
        record_sign_in(user=user, action="sign_in.end")


def _failed(sender: object, credentials: Any, request: Any = None, **_: Any) -> None:
    email = str(credentials.get("username") or credentials.get("email") or "").strip().lower()
    if not _is_real(request) or not email or "\x00" in email:
        return
    user = User.objects.filter(email=email).first()
    if user is None:
        record_unknown_sign_in(email=email)
    else:
        record_sign_in(user=user, action="sign_in.fail", step="password")


def _is_real(request: Any) -> bool:
    """Whether there is a request of a client behind it."""
    return request is not None and bool(request.META.get("REMOTE_ADDR"))


def connect() -> None:
    """Listen to Django."""
    user_logged_in.connect(_signed_in, dispatch_uid="audit")
    user_logged_out.connect(_signed_out, dispatch_uid="audit")
    user_login_failed.connect(_failed, dispatch_uid="audit")
