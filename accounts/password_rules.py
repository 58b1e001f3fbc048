"""Rules for passwords besides Django's own (`AUTH_PASSWORD_VALIDATORS`), after NIST SP 800-63B, section 3.1.1.2."""

from __future__ import annotations

import re
from functools import cached_property
from typing import Any

from django.contrib.auth.password_validation import CommonPasswordValidator
from django.core.exceptions import ValidationError

#: Neighbours in the alphabet, among digits and on keyboards.
_ROWS = ("abcdefghijklmnopqrstuvwxyz", "01234567890", "qwertyuiop", "asdfghjkl", "zxcvbnm", "qwertzuiop", "azertyuiop")
_SUBSTITUTES = str.maketrans("@4831!0$57", "aabeiiosst")

#: So many characters must be left once what is easy to guess is taken away.
_LEFT = 8


class LengthValidator:
    """Length in characters; the upper bound keeps the hash cheap."""

    def __init__(self, shortest: int = 12, longest: int = 512) -> None:
        self._shortest, self._longest = shortest, longest

    def validate(self, password: str, user: Any = None) -> None:
        if len(password) < self._shortest:
            raise ValidationError(
                f"This password is too short. Use at least {self._shortest} characters.", code="password_too_short"
            )
        if len(password) > self._longest:
            raise ValidationError(
                f"This password is too long. Use at most {self._longest} characters.", code="password_too_long"
            )

    def get_help_text(self) -> str:
        return f"Use at least {self._shortest} characters. Several words are easy to remember."


class AddressValidator:
    """Refuses a password that consists of parts of the person's address or name and little else."""

    def validate(self, password: str, user: Any = None) -> None:
        if user is None:
            return
        left = _folded(password)
        words = re.split(r"[^a-z0-9]+", f"{user.email} {user.first_name} {user.last_name}".lower())
        local = _folded(user.email.partition("@")[0])
        for word in sorted({local, *words}, key=len, reverse=True):
            if len(word) >= 3:
                left = left.replace(word, "").replace(word[::-1], "")
        if left != _folded(password) and len(left) < _LEFT:
            raise ValidationError(
                "This password is too similar to your e-mail address or name.", code="password_too_similar"
            )

    def get_help_text(self) -> str:
        return "Do not use your e-mail address or name."


class RepetitionValidator:
    """Refuses what is predictable: repetitions, rows of the alphabet or keyboard, common passwords with additions."""

    def validate(self, password: str, user: Any = None) -> None:
        text = password.lower()
        if len(set(text)) < 5 or len(_without_rows(text)) < 5 or self._is_common(text):
            raise ValidationError("This password is too easy to guess.", code="password_too_common")

    def get_help_text(self) -> str:
        return "Do not use repeated characters, rows of the keyboard or common passwords with a few characters added."

    @cached_property
    def _common(self) -> set[str]:
        return CommonPasswordValidator().passwords

    def _is_common(self, text: str) -> bool:
        """A common password, or one repeated, with digits and signs before or after it or in place of letters."""
        bases = {text, _unit(text)}
        for one in (text, text.translate(_SUBSTITUTES)):
            base = re.sub(r"^[^a-z]+|[^a-z]+$", "", one)
            bases |= {base, _unit(base)}
        return any(base in self._common for base in bases)


def _unit(text: str) -> str:
    """The shortest text of which `text` is a repetition."""
    found = (text + text).find(text, 1) if text else 0
    return text[:found]


def _without_rows(text: str) -> str:
    """`text` without runs of four and more neighbours, and of a repeated character."""
    text = re.sub(r"(.)\1{3,}", "", text)
    for row in (*_ROWS, *(one[::-1] for one in _ROWS)):
        for length in range(len(row), 3, -1):
            for start in range(len(row) - length + 1):
                text = text.replace(row[start : start + length], "")
    return text


def _folded(text: str) -> str:
    return re.sub(r"[^a-z0-9]", "", text.lower())
