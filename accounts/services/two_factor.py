"""The second factor: a code from an app (TOTP, RFC 6238), or a recovery code. Kept and checked by django-otp."""

from __future__ import annotations

import secrets
from typing import Any

from django.db import transaction
from django_otp.models import Device
from django_otp.plugins.otp_static.models import StaticDevice, StaticToken
from django_otp.plugins.otp_totp.models import TOTPDevice

from accounts.models import Membership, User
from accounts.sealed_factors import hash_recovery_code
from accounts.services.audit import record_audit
from kernel.errors import ConflictError, InvalidError

RECOVERY_CODES = 10
_LETTERS = "abcdefghjkmnpqrstuvwxyz23456789"


class CodeWrong(InvalidError):
    code = "code_wrong"


def has_two_factor(user: User) -> bool:
    return TOTPDevice.objects.filter(user=user, confirmed=True).exists()


def begin_two_factor(user: User) -> TOTPDevice:
    """The app that is to be confirmed: the one begun before, or a new one. `ConflictError` where one is confirmed."""
    if has_two_factor(user):
        raise ConflictError("Two-factor sign-in is set up already", code="two_factor_exists")
    with transaction.atomic():
        User.objects.select_for_update().get(pk=user.pk)
        device: TOTPDevice | None = TOTPDevice.objects.filter(user=user, confirmed=False).first()
        if device is None:
            device = TOTPDevice.objects.create(user=user, name="app", confirmed=False)
        return device


def confirm_two_factor(*, user: User, code: str) -> tuple[TOTPDevice, list[str]]:
    """From now on sign-in needs the app whose first `code` this is; answers recovery codes, which are known this once.

    Raises `CodeWrong`; after wrong codes the next has to wait (django-otp's throttling).
    """
    begin_two_factor(user)
    with transaction.atomic():
        device = TOTPDevice.objects.select_for_update().get(user=user, confirmed=False)
        is_right = device.verify_token(_digits(code))
        if is_right:
            device.confirmed = True
            device.save(update_fields=["confirmed"])
            codes = _new_codes(user)
            _record(user, "two_factor.enable")
    if not is_right:
        raise CodeWrong("This code is not right. Codes change every 30 seconds; is the device's clock right?")
    return device, codes


def renew_recovery_codes(user: User) -> list[str]:
    """New recovery codes in place of the old ones."""
    if not has_two_factor(user):
        raise ConflictError("Two-factor sign-in is not set up", code="two_factor_missing")
    with transaction.atomic():
        codes = _new_codes(user)
        _record(user, "two_factor.renew_codes")
    return codes


def recovery_codes_left(user: User) -> int:
    return StaticToken.objects.filter(device__user=user).count()


def verify_code(*, user: User, code: str) -> Device | None:
    """The device that takes this code, of an app or a recovery code; None for none. A code works once."""
    code = code.strip().replace(" ", "").lower()
    is_recovery = "-" in code or not code.isdigit()
    model: Any = StaticDevice if is_recovery else TOTPDevice
    device: Device
    with transaction.atomic():
        for device in model.objects.select_for_update().filter(user=user, confirmed=True):
            if device.verify_token(hash_recovery_code(code, device_id=device.pk) if is_recovery else code):
                if is_recovery:
                    _record(user, "two_factor.use_recovery_code")
                return device
    return None


def disable_two_factor(user: User) -> None:
    """Sign-in needs the password alone again, and all sessions of theirs end."""
    with transaction.atomic():
        deleted = [*TOTPDevice.objects.filter(user=user), *StaticDevice.objects.filter(user=user)]
        for device in deleted:
            device.delete()
        if deleted:
            end_sessions(user)
            _record(user, "two_factor.disable")


def end_sessions(user: User) -> User:
    """Every session of `user` ends with its next request."""
    with transaction.atomic():
        found = User.objects.select_for_update().get(pk=user.pk)
        found.sessions_ended += 1
        found.save(update_fields=["sessions_ended"])
    user.sessions_ended = found.sessions_ended
    return user


def record_person(user: User, action: str) -> None:
    """Write down in each of a person's organizations what they did about their account."""
    _record(user, action)


def _new_codes(user: User) -> list[str]:
    device, _ = StaticDevice.objects.get_or_create(user=user, defaults={"name": "recovery"})
    StaticToken.objects.filter(device=device).delete()
    codes = [f"{_letters()}-{_letters()}" for _ in range(RECOVERY_CODES)]
    StaticToken.objects.bulk_create(
        StaticToken(device=device, token=hash_recovery_code(code, device_id=device.pk)) for code in codes
    )
    return codes


def _letters() -> str:
    return "".join(secrets.choice(_LETTERS) for _ in range(5))


def _digits(code: str) -> str:
    return code.strip().replace(" ", "")


def _record(user: User, action: str) -> None:
    for organization_id in Membership.objects.filter(user=user).values_list("organization_id", flat=True):
        record_audit(organization_id=organization_id, action=action, target=user.email)
