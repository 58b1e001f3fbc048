"""What coupons take off lines, worked out by hand, and what always holds of it."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.rating.discounts import Offer, in_proportion, spread, take_off
from kernel.money import minor_digits


def percent(value: str) -> Offer:
    return Offer(percent=Decimal(value))


def amount(value: str) -> Offer:
    return Offer(amount=Decimal(value))


def taken(lines: list[str], *offers: Offer, currency: str = "USD") -> list[list[str]]:
    found = take_off([Decimal(line) for line in lines], offers, currency=currency)
    return [[str(off) for off in offer] for offer in found]


def numbers(*rows: list[str]) -> list[list[Decimal]]:
    return [[Decimal(cell) for cell in row] for row in rows]


@pytest.mark.parametrize(
    ("lines", "offers", "expected"),
    [
        (["49.00", "4.80"], [percent("10")], [["4.90", "0.48"]]),
        (["0.05"], [percent("10")], [["0.01"]]),  # 0.005, half up
        (["33.33"], [percent("33.3333")], [["11.11"]]),  # 11.10998889
        (["10.00", "5.00"], [percent("100")], [["10.00", "5.00"]]),
        # 10 over 49.00 and 4.80: 9.1078 and 0.8922; both lose less than a cent, 0.0078 and 0.0022: the first gets it
        (["49.00", "4.80"], [amount("10")], [["9.11", "0.89"]]),
        (["1.00", "1.00", "1.00"], [amount("1")], [["0.34", "0.33", "0.33"]]),
        (["3.00", "2.00"], [amount("10")], [["3.00", "2.00"]]),  # no line becomes less than nothing
        (["-5.00", "20.00", "0.00"], [amount("10")], [["0", "10.00", "0"]]),
        (["-5.00", "20.00"], [percent("50")], [["0.00", "10.00"]]),
        # percentages first, whichever was redeemed first: 10 % of 100, then 20
        (["100.00"], [amount("20"), percent("10")], [["20.00"], ["10.00"]]),
        # 50 % of 100, then 20 % of what is left
        (["100.00"], [percent("50"), percent("20")], [["50.00"], ["10.00"]]),
        (["100.00"], [percent("100"), amount("20")], [["100.00"], ["0"]]),
        (["15.00"], [amount("10"), amount("10")], [["10.00"], ["5.00"]]),
        ([], [amount("10")], [[]]),
    ],
)
def test_coupons_take_off(lines: list[str], offers: list[Offer], expected: list[list[str]]) -> None:
    assert numbers(*taken(lines, *offers)) == numbers(*expected)


def test_a_currency_without_cents_is_spread_in_whole_units() -> None:
    assert taken(["100", "100", "100"], amount("100"), currency="JPY") == [["34", "33", "33"]]
    assert taken(["1.000", "2.000"], amount("0.100"), currency="KWD") == [["0.033", "0.067"]]


def test_a_part_of_an_earlier_line_is_discounted_as_that_one_was() -> None:
    half_back = in_proportion(Decimal("-50.00"), discount=Decimal("25.00"), of=Decimal("100.00"), currency="USD")
    assert half_back == Decimal("-12.50")
    assert in_proportion(Decimal("-1.00"), discount=Decimal("1.00"), of=Decimal("3.00"), currency="USD") == Decimal(
        "-0.33"
    )
    assert in_proportion(Decimal("5.00"), discount=Decimal(0), of=Decimal("3.00"), currency="USD") == 0
    assert in_proportion(Decimal("5.00"), discount=Decimal("1.00"), of=Decimal(0), currency="USD") == 0


currencies = st.sampled_from(["USD", "JPY", "KWD"])


@st.composite
def money(draw: st.DrawFn, currency: str, low: int = 0) -> Decimal:
    return Decimal(draw(st.integers(low, 10**7))).scaleb(-minor_digits(currency))


@given(st.data(), currencies)
def test_a_spread_sums_to_what_is_spread_and_no_part_is_above_its_line(data: st.DataObject, currency: str) -> None:
    weights = data.draw(st.lists(money(currency), min_size=1, max_size=12))
    whole = min(data.draw(money(currency)), sum(weights))
    parts = spread(whole, weights, currency=currency)
    assert sum(parts) == whole
    assert all(0 <= part <= weight for part, weight in zip(parts, weights, strict=True))


offers_of_any_kind = st.lists(
    st.one_of(
        st.decimals("0.01", 100, places=2).map(lambda value: Offer(percent=value)),
        st.integers(1, 10**6).map(lambda value: Offer(amount=Decimal(value))),
    ),
    max_size=4,
)


@given(st.data(), currencies, offers_of_any_kind)
def test_no_coupon_makes_a_line_less_than_nothing_or_takes_more_than_it_says(
    data: st.DataObject, currency: str, offers: list[Offer]
) -> None:
    lines = data.draw(st.lists(money(currency, -(10**6)), max_size=8))
    taken = take_off(lines, offers, currency=currency)
    for index, line in enumerate(lines):
        off = [one[index] for one in taken]
        assert all(part >= 0 for part in off)
        assert sum(off) <= max(line, 0)
    found = [(offer, sum(parts)) for offer, parts in zip(offers, taken, strict=True)]
    assert all(off <= offer.amount for offer, off in found if offer.amount is not None)
    by_percent = sum(off for offer, off in found if offer.amount is None)
    by_amount = sum(off for offer, off in found if offer.amount is not None)
    worth = sum(offer.amount for offer in offers if offer.amount is not None)
    assert by_amount == min(worth, sum(max(line, 0) for line in lines) - by_percent)
