"""How documents speak: words, money, numbers and dates of a language."""

from __future__ import annotations

import copy
import functools
import re
import tomllib
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path
from zoneinfo import ZoneInfo

from babel import Locale, UnknownLocaleError
from babel.dates import format_date, format_interval, format_skeleton
from babel.numbers import NumberPattern

from kernel.money import EXACT, minor_digits, round_to_currency

#: For annotations in `Language`, whose method is called `date`.
_Day = date

_WORDS = Path(__file__).parent / "words"

#: The languages there are words for.
LANGUAGES = tuple(sorted(path.stem for path in _WORDS.glob("*.toml")))
_FALLBACK = "en"
_DASH = "\N{EN DASH}"
#: A currency without a sign is written as its code, and apart from the number (Unicode TR 35, currency spacing).
_CODE_BEFORE_DIGITS = re.compile(r"(?<=[A-Z])(?=[0-9])")

_LATIN = ("Noto Sans",)
_OTHERS = ("Noto Sans Arabic", "Noto Sans Hebrew", "Noto Sans Devanagari", "Noto Sans Thai", "Noto Sans Korean")
_HAN = {"zh": ("Noto Sans S Chinese", "Noto Sans Japanese")}
_HAN_ELSEWHERE = ("Noto Sans Japanese", "Noto Sans S Chinese")


def is_language(tag: str) -> bool:
    """Whether there are words for a language tag such as `de`, `de-AT` or `zh-Hans-CN`."""
    try:
        return Locale.parse(tag, sep="-").language in LANGUAGES
    except (ValueError, TypeError, UnknownLocaleError):
        return False


@dataclass(frozen=True)
class Language:
    """One language with its region. Numbers keep every digit they have; only `money` rounds, to the currency."""

    locale: Locale
    words: dict[str, str]

    @property
    def tag(self) -> str:
        return self.locale.language

    @property
    def is_rtl(self) -> bool:
        return bool(self.locale.character_order == "right-to-left")

    @property
    def fonts(self) -> list[str]:
        """The vendored families in the order in which a glyph is looked for."""
        return [*_LATIN, *_HAN.get(self.tag, _HAN_ELSEWHERE), *_OTHERS]

    def say(self, word: str, **values: str) -> str:
        """The phrase of this name with its places filled."""
        text = self.words[word]
        for name, value in values.items():
            text = text.replace(f"{{{name}}}", value)
        return text

    def money(self, amount: Decimal, currency: str) -> str:
        digits = minor_digits(currency)
        return self._currency(round_to_currency(amount, currency), currency, digits)

    def exact_money(self, amount: Decimal, currency: str, *, digits: int | None = None) -> str:
        """With all the digits it has, at least its currency's, or so many as are asked for."""
        if digits is None:
            digits = max(-int(amount.normalize(EXACT).as_tuple().exponent), minor_digits(currency))
        return self._currency(amount, currency, digits)

    def number(self, value: Decimal) -> str:
        places = max(-int(value.normalize(EXACT).as_tuple().exponent), 0)
        return _signed(_exactly(self.locale.decimal_formats[None], places).apply(value, self.locale))

    def counted(self, quantity: Decimal, unit: str) -> str:
        """A quantity with its unit, which in English has an s for many: signs and words of ours stay as they are."""
        is_word = len(unit) > 1 and unit.isalpha() and unit.islower() and not unit.endswith("s")
        many = f"{unit}s" if self.tag == "en" and is_word and quantity != 1 else unit
        return f"{self.number(quantity)} {many}".strip()

    def percent(self, rate: Decimal, *, digits: int | None = None) -> str:
        """`rate` as a share of one: 0.19 is "19%"; with as many digits after the point as it has, or is asked for."""
        places = max(-int(rate.normalize(EXACT).as_tuple().exponent) - 2, 0) if digits is None else digits
        return _signed(_exactly(self.locale.percent_formats[None], places).apply(rate, self.locale))

    def date(self, day: date) -> str:
        return str(format_date(day, "long", locale=self.locale))

    def days(self, start: datetime, end: datetime, zone: str) -> str:
        """A half-open period as its first and last day in a time zone."""
        return self.between(*days_of(start, end, zone))

    def span(self, start: datetime, end: datetime, zone: str) -> str:
        """A half-open period as its days, or with the time where it begins or ends within one."""
        local = start.astimezone(ZoneInfo(zone)), end.astimezone(ZoneInfo(zone))
        if all(one.time() == time.min for one in local):
            return self.days(start, end, zone)
        return f" {_DASH} ".join(f"{format_date(one, 'medium', locale=self.locale)} {self._time(one)}" for one in local)

    def _time(self, at: datetime) -> str:
        return str(format_skeleton("Hm", at, tzinfo=at.tzinfo, locale=self.locale))

    def between(self, first: _Day, last: _Day) -> str:
        """From a day to a day, both counted."""
        if first == last:
            return str(format_date(first, "medium", locale=self.locale))
        return str(format_interval(first, last, "yMMMd", locale=self.locale))

    def _currency(self, amount: Decimal, currency: str, digits: int) -> str:
        pattern = _exactly(self.locale.currency_formats["standard"], digits)
        text = pattern.apply(amount, self.locale, currency=currency, currency_digits=False)
        return _CODE_BEFORE_DIGITS.sub("\u00a0", _signed(text))


def days_of(start: datetime, end: datetime, zone: str) -> tuple[date, date]:
    """The first and the last day of a half-open period in a time zone."""
    last = max(end - timedelta(microseconds=1), start)
    return start.astimezone(ZoneInfo(zone)).date(), last.astimezone(ZoneInfo(zone)).date()


@functools.cache
def language_of(tag: str) -> Language:
    """The language of a tag; English where there are no words for it."""
    locale = Locale.parse(tag, sep="-") if is_language(tag) else Locale(_FALLBACK)
    return Language(locale, tomllib.loads((_WORDS / f"{locale.language}.toml").read_text(encoding="utf-8")))


def _exactly(pattern: NumberPattern, digits: int) -> NumberPattern:
    """The pattern with so many digits after the point, whatever it says itself."""
    changed = copy.copy(pattern)
    changed.frac_prec = (digits, digits)
    return changed


def _signed(text: str) -> str:
    return text.replace("-", "\u2212")
