"""How the reader writes numbers and days: by the languages that their browser asks for.

Texts of the console are English. English readers, and whoever asks for nothing known, see its own style, in which no
day can be taken for a month ("1 Oct 2026"); files are always written in it.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import date, datetime

from babel import Locale, UnknownLocaleError
from babel.dates import format_date, format_interval, format_skeleton
from babel.numbers import get_decimal_symbol

from billing.facade import Language

_MOST_ASKED = 10
_HOUSE = "en"

_WITH_COMMA = re.compile(r"[+-]?[0-9]*,[0-9]+")

_reader: ContextVar[Language | None] = ContextVar("reader", default=None)


def reader() -> Language | None:
    """The language of whoever reads what is being written; None for the house style."""
    return _reader.get()


@contextmanager
def reading(accepted: str) -> Iterator[None]:
    """Within, numbers and days are written for a browser with this `Accept-Language`."""
    token = _reader.set(language_asked(accepted))
    try:
        yield
    finally:
        _reader.reset(token)


@functools.lru_cache(maxsize=256)
def language_asked(accepted: str) -> Language | None:
    """The first language of an `Accept-Language` header (RFC 9110, 12.5.4) that is known; None for English."""
    for tag in _by_weight(accepted[:200]):
        try:
            locale = Locale.parse(tag, sep="-")
        except (ValueError, TypeError, UnknownLocaleError):
            continue
        return None if locale.language == _HOUSE else Language(locale, {})
    return None


def _by_weight(accepted: str) -> list[str]:
    weighted = []
    for place, part in enumerate(accepted.split(",")[:_MOST_ASKED]):
        tag, _, parameter = part.strip().partition(";")
        weight = parameter.strip().removeprefix("q=") if parameter else "1"
        if weight.replace(".", "", 1).isdecimal() and weight.isascii() and set(weight) - {"0", "."}:
            weighted.append((-float(weight), place, tag.strip()))
    return [tag for _, _, tag in sorted(weighted)]


def number_typed(text: str) -> str:
    """What somebody typed, with a point for the comma where the reader writes decimals with one: `12,5` is `12.5` for
    a German reader, and stays what it is, no number, for an English one."""
    text, language = text.strip(), reader()
    if language and _WITH_COMMA.fullmatch(text) and get_decimal_symbol(language.locale) == ",":
        return text.replace(",", ".")
    return text


def day_in(language: Language, value: date) -> str:
    return str(format_date(value, "medium", locale=language.locale))


def day_of_year_in(language: Language, value: date) -> str:
    """Without its year."""
    return str(format_skeleton("MMMd", value, locale=language.locale))


def month_in(language: Language, value: date) -> str:
    return str(format_skeleton("yMMM", value, locale=language.locale))


def months_in(language: Language, first: date, last: date) -> str:
    return str(format_interval(first, last, "yMMM", locale=language.locale))


def moment_in(language: Language, value: datetime, *, days: str, times: str) -> str:
    """A local time by two CLDR skeletons, such as `MMMd` and `Hm`: its day, and its time of day."""
    day = format_skeleton(days, value, locale=language.locale)
    return f"{day}, {format_skeleton(times, value, tzinfo=value.tzinfo, locale=language.locale)}"
