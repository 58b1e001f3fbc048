"""Passwords: changed by who knows the present one, or set anew by a link in a mail."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from django.contrib.auth.tokens import default_token_generator
from django.db import transaction
from django.utils.http import urlsafe_base64_decode, urlsafe_base64_encode

from accounts.mail import queue_mail
from accounts.models import Membership, User
from accounts.services.audit import act_as
from accounts.services.invitations import require_password
from accounts.services.two_factor import record_person
from kernel.errors import InvalidError, NotFoundError


class ResetGone(NotFoundError):
    """The link was used, has expired or was never one."""

    code = "password_reset_not_found"


def request_password_reset(*, email: str, now: datetime, link_of: Callable[[str, str], str]) -> None:
    """Mail a link that sets a new password, where the address has an active account; nothing says whether it has.

    The link works once, for `settings.PASSWORD_RESET_TIMEOUT` seconds (Django's token generator).
    """
    user = User.objects.filter(email=email.strip().lower(), is_active=True).first()
    if user is None:
        return
    membership = Membership.objects.filter(user=user).select_related("organization").order_by("id").first()
    if membership is None:  # mail is sent in the name of an organization; manage.py changepassword helps operators
        return
    token = default_token_generator.make_token(user)
    with transaction.atomic():
        queue_mail(
            organization_id=membership.organization_id,
            kind="password_reset",
            to=[user.email],
            context={
                "organization": membership.organization.name,
                "link": link_of(urlsafe_base64_encode(str(user.pk).encode()), token),
                "minutes": 60,
            },
            key=f"password_reset:{user.pk}:{token}",
            at=now,
        )


def user_of_reset(*, uid: str, token: str) -> User:
    """Whose password this link sets; raises `ResetGone`."""
    try:
        key = urlsafe_base64_decode(uid).decode()
        user = User.objects.filter(pk=int(key), is_active=True).first() if len(key) < 19 else None
    except ValueError:
        user = None
    if user is None or not default_token_generator.check_token(user, token):
        raise ResetGone("This link was used already or has expired. Ask for a new one")
    return user


def reset_password(*, uid: str, token: str, password: str) -> User:
    """Set a new password by a link; all sessions end. Raises `ResetGone`, `InvalidError`."""
    with transaction.atomic():
        user = user_of_reset(uid=uid, token=token)
        User.objects.select_for_update().get(pk=user.pk)
        user = user_of_reset(uid=uid, token=token)
        require_password(password, user)
        user.set_password(password)
        user.save(update_fields=["password"])
        act_as(user.email, user_id=user.pk)
        record_person(user, "password.reset")
    return user


def change_password(*, user: User, current: str, password: str) -> User:
    """Raises `InvalidError` for a wrong `current` one and for a weak new one. All other sessions end."""
    if not user.check_password(current):
        record_person(user, "password.change_fail")
        raise InvalidError("This is not your present password", code="password_wrong")
    require_password(password, user)
    with transaction.atomic():
        user.set_password(password)
        user.save(update_fields=["password"])
        record_person(user, "password.change")
    return user
