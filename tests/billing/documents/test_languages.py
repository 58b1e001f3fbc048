"""Money, numbers and days as a language writes them, with every digit they have."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal

import pytest

from billing.documents.languages import LANGUAGES, is_language, language_of


@pytest.mark.parametrize(
    ("tag", "written"),
    [
        ("en", "\u2212€1,234.50"),
        ("de", "\u22121.234,50\xa0€"),
        ("de-AT", "\u2212€\xa01.234,50"),
        ("fr", "\u22121\u202f234,50\xa0€"),
        ("ja", "\u2212€1,234.50"),
    ],
)
def test_money_has_the_digits_of_its_currency(tag: str, written: str) -> None:
    assert language_of(tag).money(Decimal("-1234.5"), "EUR") == written


def test_a_currency_keeps_its_own_digits_whatever_the_language_knows_of_it() -> None:
    english = language_of("en")
    assert english.money(Decimal("1234.5"), "JPY") == "¥1,235"
    assert english.money(Decimal("1.2345"), "KWD") == "KWD\xa01.235"
    assert english.exact_money(Decimal("0.000012"), "USD") == "$0.000012"


def test_numbers_and_rates_are_never_rounded() -> None:
    german = language_of("de")
    assert german.number(Decimal("1234567.000000123")) == "1.234.567,000000123"
    assert german.percent(Decimal("0.07125")) == "7,125\xa0%"
    assert language_of("en").percent(Decimal("0.19")) == "19%"


def test_units_are_counted() -> None:
    english, german = language_of("en"), language_of("de")
    assert [english.counted(Decimal(n), "turn") for n in (0, 1, 2)] == ["0 turns", "1 turn", "2 turns"]
    assert english.counted(Decimal(2), "GB") == "2 GB"
    assert german.counted(Decimal(2), "turn") == "2 turn"
    assert english.counted(Decimal(3), "") == "3"


def test_periods_are_days_of_the_customers_zone() -> None:
    start, end = datetime(2026, 9, 30, 22, tzinfo=UTC), datetime(2026, 10, 31, 23, tzinfo=UTC)
    assert language_of("de").days(start, end, "Europe/Berlin") == "1.\u201331. Okt. 2026"
    assert language_of("ja").date(date(2026, 10, 31)) == "2026年10月31日"


def test_a_language_without_words_is_english() -> None:
    assert [is_language(tag) for tag in ("de", "de-CH", "zh-Hans-CN", "it", "xx", "", "de_DE", "../en")] == [
        *(True, True, True),
        *(False, False, False, False, False),
    ]
    assert language_of("it").words == language_of("en").words


@pytest.mark.parametrize("tag", LANGUAGES)
def test_every_language_has_every_word_and_the_same_places(tag: str) -> None:
    english, other = language_of("en").words, language_of(tag).words
    assert other.keys() == english.keys()
    for word, text in english.items():
        places = {part.split("}")[0] for part in text.split("{")[1:]}
        assert all(f"{{{place}}}" in other[word] for place in places), word
