"""Numbers and days as the reader's browser asks for them; files as they always are."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest

from console import formats
from console.reader import language_asked, number_typed, reading
from console.templatetags.console_format import month
from tests.console.conftest import Vendor
from tests.console.test_invoices import text

GERMAN = "de-DE,de;q=0.9,en;q=0.8"


@pytest.mark.parametrize(
    ("accepted", "asked"),
    [
        ("de-DE,de;q=0.9,en;q=0.8", "de_DE"),
        ("en;q=0.5, fr-CH", "fr_CH"),
        ("xx, ja;q=0.1", "ja"),
        ("en-US,en;q=0.9,de;q=0.8", None),
        ("de;q=0", None),
        ("*, ;q=1, de_DE, 12, \x00", None),
        ("", None),
    ],
)
def test_the_language_is_the_first_known_one_that_the_browser_asks_for(accepted: str, asked: str | None) -> None:
    found = language_asked(accepted)
    assert (str(found.locale) if found else None) == asked


def test_months_of_tables_are_the_reader_s() -> None:
    assert month("2026-10") == "Oct 2026"
    assert month(None) == formats.NOTHING
    with reading(GERMAN):
        assert month("2026-10") == "Okt. 2026"


@pytest.mark.parametrize(
    ("accepted", "typed", "read"),
    [
        ("de-DE", " 12,50 ", "12.50"),
        ("de-DE", "-,5", "-.5"),
        ("de-DE", "12.50", "12.50"),
        ("de-DE", "1.234,50", "1.234,50"),  # stays what it is: no number
        ("de-CH", "12,50", "12,50"),
        ("en-GB", "1,000", "1,000"),
        ("fr-FR", "a,5", "a,5"),
    ],
)
def test_a_comma_is_the_point_of_those_who_write_it_so(accepted: str, typed: str, read: str) -> None:
    with reading(accepted):
        assert number_typed(typed) == read


def test_english_readers_see_the_house_style() -> None:
    with reading("en-US"):
        assert formats.money(Decimal("-1234.5"), "USD") == "\u2212$1,234.50"
        assert formats.day(date(2026, 10, 1)) == "1 Oct 2026"
        assert formats.days(date(2026, 10, 1), date(2026, 10, 31)) == "1 Oct \u2013 31 Oct 2026"
        assert formats.months(date(2026, 9, 1), date(2026, 11, 1)) == "Sep 2026 \u2013 Nov 2026"


def test_others_see_numbers_and_days_of_their_own() -> None:
    with reading(GERMAN):
        assert formats.money(Decimal("-1234.5"), "USD") == "\u22121.234,50\xa0$"
        assert formats.exact_money(Decimal("0.000012"), "EUR") == "0,000012\xa0€"
        assert formats.small_money(Decimal("0.00123"), "EUR") == "0,0012\xa0€"
        assert formats.quantity(Decimal("1229.50")) == "1.229,5"
        assert formats.rounded(Decimal("1229.4")) == "1.229"
        assert formats.percent(Decimal(1), Decimal(3)) == "33,3\xa0%"
        assert formats.percent(Decimal(1), Decimal(2)) == "50,0\xa0%"
        assert formats.day(date(2026, 10, 1)) == "01.10.2026"
        assert formats.days(date(2026, 10, 1), date(2026, 10, 31)) == "1.\u201331. Okt. 2026"
        assert formats.month(date(2026, 10, 1)) == "Okt. 2026"
    assert formats.money(Decimal("1234.5"), "USD") == "$1,234.50"


def test_a_page_is_written_for_its_reader_and_a_csv_for_programs(vendor: Vendor) -> None:
    address = f"/invoices/{vendor.invoice_of('birch').pk}"
    german = vendor.client.get(address, headers={"accept-language": GERMAN}).content
    assert "50,87 $" in text(german)
    assert "1.\u201331. Okt. 2026" in text(german)
    assert b'data-locale="de-DE"' in german
    assert "$50.87" in text(vendor.client.get(address).content)
    csv = "/charts/usage_by_day.csv?from=2026-10-01&to=2026-10-31"
    assert vendor.client.get(csv, headers={"accept-language": GERMAN}).content == vendor.client.get(csv).content
