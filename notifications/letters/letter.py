from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from typing import Any
from zoneinfo import ZoneInfo

from babel import Locale, UnknownLocaleError
from babel.dates import format_date, format_time
from babel.numbers import format_currency, format_decimal

from kernel.clock import parse_rfc3339
from kernel.errors import InvalidError


class LetterInvalid(InvalidError):
    """The context does not say what this kind of mail needs."""

    code = "letter_invalid"


@dataclass(frozen=True, slots=True)
class Letter:
    """What a mail says, in plain words: nothing in it is markup."""

    subject: str
    heading: str
    paragraphs: tuple[str, ...]
    #: Names and values, shown as a small table.
    facts: tuple[tuple[str, str], ...] = ()
    #: What to press, and where that leads.
    button: tuple[str, str] | None = None
    #: Small print.
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Writing:
    """What a letter is written from. Money and dates are written as `locale` writes them, in the zone `timezone`."""

    organization: str
    public_url: str
    context: Mapping[str, Any]
    locale: Locale = field(init=False)
    zone: ZoneInfo = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "locale", _locale(str(self.context.get("locale") or "en")))
        object.__setattr__(self, "zone", _zone(str(self.context.get("timezone") or "UTC")))

    def need(self, *path: str) -> Any:
        """The value at `path`; `LetterInvalid` where there is none."""
        value = self.find(*path)
        if value is None:
            raise LetterInvalid(f"The mail's context lacks {'.'.join(path)}")
        return value

    def find(self, *path: str) -> Any:
        """The value at `path`, None where there is none."""
        value: Any = self.context
        for name in path:
            value = value.get(name) if isinstance(value, Mapping) else None
        return value

    def money(self, amount: object, currency: object) -> str:
        return str(format_currency(_decimal(amount), str(currency), locale=self.locale))

    def number(self, value: object) -> str:
        return str(format_decimal(_decimal(value), locale=self.locale))

    def day(self, instant: object) -> str:
        """The day of an RFC 3339 instant in the reader's zone: "14 November 2026"."""
        return str(format_date(self._local(instant).date(), format="long", locale=self.locale))

    def moment(self, instant: object) -> str:
        """The same to the minute, with the zone."""
        local = self._local(instant)
        time = format_time(local, format="short", locale=self.locale)
        return f"{self.day(instant)}, {time} {local.tzname()}"

    def link(self, where: str) -> str:
        """An address for a button: a path is one of this server's. Other schemes than http and https are refused."""
        address = self.public_url + where if where.startswith("/") else where
        if not address.startswith(("https://", "http://")) or any(c.isspace() for c in address):
            raise LetterInvalid(f"{address!r} is no address of a page")
        return address

    def _local(self, instant: object) -> Any:
        try:
            return parse_rfc3339(str(instant)).astimezone(self.zone)
        except ValueError as error:
            raise LetterInvalid(str(error)) from None


Write = Callable[[Writing], Letter]


def _decimal(value: object) -> Decimal:
    try:
        found = Decimal(str(value))
    except InvalidOperation:
        found = Decimal("nan")
    if not found.is_finite():
        raise LetterInvalid(f"{value!r} is no number")
    return found


def _locale(name: str) -> Locale:
    try:
        return Locale.parse(name.replace("-", "_"))
    except (ValueError, UnknownLocaleError):
        return Locale("en")


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ValueError, OSError):
        return ZoneInfo("UTC")
