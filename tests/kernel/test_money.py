"""Money is exact, keeps to its currency and is rounded half up."""

from __future__ import annotations

from decimal import Decimal

import pytest

from kernel.money import Money, decimal_from, is_currency, minor_digits, round_to_currency


def usd(amount: str) -> Money:
    return Money(Decimal(amount), "USD")


@pytest.mark.parametrize(("value", "number"), [("1.50", "1.5"), (" 2 ", "2"), (3, "3"), (Decimal("0.1"), "0.1")])
def test_a_decimal_comes_from_text_a_whole_number_or_a_decimal(value: object, number: str) -> None:
    assert decimal_from(value) == Decimal(number)


@pytest.mark.parametrize("value", [0.1, True, None, [], b"1"])
def test_nothing_else_is_an_exact_number(value: object) -> None:
    with pytest.raises(TypeError):
        decimal_from(value)


@pytest.mark.parametrize("value", ["", "abc", "1,5", "NaN", "Infinity", Decimal("NaN")])
def test_what_is_no_finite_number_is_refused(value: object) -> None:
    with pytest.raises(ValueError, match="number"):
        decimal_from(value)


@pytest.mark.parametrize(
    ("amount", "currency", "rounded"),
    [
        ("0.005", "USD", "0.01"),
        ("-0.005", "USD", "-0.01"),  # away from zero
        ("0.0049", "USD", "0.00"),
        ("1.015", "EUR", "1.02"),
        ("0.5", "JPY", "1"),
        ("1234.5", "KRW", "1235"),
        ("1.0005", "KWD", "1.001"),
        ("1.00005", "CLF", "1.0001"),
        ("12345678901234567890123456789012345.675", "USD", "12345678901234567890123456789012345.68"),
    ],
)
def test_rounding_is_half_up_to_the_minor_unit(amount: str, currency: str, rounded: str) -> None:
    assert str(round_to_currency(Decimal(amount), currency)) == rounded


def test_currencies_have_their_minor_digits() -> None:
    assert [minor_digits(currency) for currency in ("USD", "JPY", "BHD", "UYW")] == [2, 0, 3, 4]


def test_only_what_can_be_invoiced_is_a_currency() -> None:
    assert [code for code in ("USD", "KWD", "usd", "ABC", "XAU", "XXX", "") if is_currency(code)] == ["USD", "KWD"]


def test_money_adds_subtracts_multiplies_and_compares() -> None:
    assert usd("0.1") + usd("0.2") == usd("0.3")
    assert usd("1") - usd("1.005") == usd("-0.005")
    assert usd("0.05") * 1229 == usd("61.45")
    assert -usd("2") == usd("-2")
    assert usd("1") < usd("1.01")
    assert str(usd("1.005")) == "1.01 USD"


def test_money_of_two_currencies_does_not_mix() -> None:
    euro = Money(Decimal(1), "EUR")
    with pytest.raises(ValueError, match="do not mix"):
        usd("1") + euro
    with pytest.raises(ValueError, match="do not mix"):
        _ = usd("1") < euro
    assert usd("1") != euro


@pytest.mark.parametrize("currency", ["usd", "US", "USDT", "ÄÖÜ", ""])
def test_a_currency_is_an_iso_code(currency: str) -> None:
    with pytest.raises(ValueError, match="ISO 4217"):
        Money(Decimal(1), currency)


def test_money_from_a_float_raises() -> None:
    with pytest.raises(TypeError):
        Money(0.1, "USD")
    with pytest.raises(TypeError):
        _ = usd("1") * 0.5
