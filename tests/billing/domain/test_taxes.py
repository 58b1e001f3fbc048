"""Tax of a document's lines: what it sums to, and how it is spread and given back."""

from __future__ import annotations

from collections import Counter
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.rating.crediting import BilledLine, CreditedLine, credit_lines
from billing.rating.taxes import TaxRounding, taxes_of
from kernel.money import minor_digits, round_to_currency

D = Decimal

RATES = st.sampled_from([D("0"), D("0.07"), D("0.19"), D("0.2"), D("0.081"), D("0.2475"), D("1")])
CURRENCIES = st.sampled_from(["EUR", "JPY", "KWD"])


@st.composite
def documents(draw: st.DrawFn, *, least: int = -200_000) -> tuple[str, list[tuple[Decimal, Decimal]]]:
    """A currency, and lines as their net amount in it and their rate; negative ones among them."""
    currency = draw(CURRENCIES)
    nets = st.integers(least, 200_000).map(lambda minor: D(minor).scaleb(-minor_digits(currency)))
    return currency, draw(st.lists(st.tuples(nets, RATES), min_size=1, max_size=30))


@pytest.mark.parametrize(
    ("currency", "nets", "rate", "document", "line"),
    [
        # 3 x 0.0095 = 0.0285: the document's 0.03; each line by itself 0.01.
        ("EUR", ["0.05"] * 3, "0.19", ["0.01", "0.01", "0.01"], ["0.01"] * 3),
        # 10 x 0.0038 = 0.038: 0.04 over the first four; per line nothing.
        ("EUR", ["0.02"] * 10, "0.19", ["0.01"] * 4 + ["0.00"] * 6, ["0.00"] * 10),
        # 2 x 0.095 is 0.19 per document, and 0.20 per line.
        ("EUR", ["0.50"] * 2, "0.19", ["0.10", "0.09"], ["0.10", "0.10"]),
        # 10 x 1.4 yen are 14, not 10.
        ("JPY", ["14"] * 10, "0.1", ["2"] * 4 + ["1"] * 6, ["1"] * 10),
        ("KWD", ["0.010"] * 3, "0.05", ["0.001", "0.001", "0.000"], ["0.001"] * 3),
        # What is given back is taxed like what was charged: -1.90 + 0.095 = -1.805.
        ("EUR", ["-10.00", "0.50"], "0.19", ["-1.90", "0.09"], ["-1.90", "0.10"]),
        # Reverse charge and exempt lines have a rate of nothing.
        ("EUR", ["10.00", "-3.33"], "0", ["0.00", "0.00"], ["0.00", "0.00"]),
    ],
)
def test_tax_is_rounded_once_per_rate_of_a_document_or_on_every_line(
    currency: str, nets: list[str], rate: str, document: list[str], line: list[str]
) -> None:
    lines = [(D(net), D(rate)) for net in nets]
    assert taxes_of(lines, rounding=TaxRounding.DOCUMENT, currency=currency) == [D(one) for one in document]
    assert taxes_of(lines, rounding=TaxRounding.LINE, currency=currency) == [D(one) for one in line]


@given(documents())
def test_the_lines_taxes_sum_to_the_documents_and_each_is_within_a_minor_unit(
    case: tuple[str, list[tuple[Decimal, Decimal]]],
) -> None:
    currency, lines = case
    taxes = taxes_of(lines, rounding=TaxRounding.DOCUMENT, currency=currency)
    unit = D(1).scaleb(-minor_digits(currency))
    for rate in {rate for _, rate in lines}:
        of_rate = [(net, tax) for (net, other), tax in zip(lines, taxes, strict=True) if other == rate]
        assert sum(tax for _, tax in of_rate) == round_to_currency(sum(net for net, _ in of_rate) * rate, currency)
    for (net, rate), tax in zip(lines, taxes, strict=True):
        assert abs(tax - net * rate) < unit
        assert tax % unit == 0


@given(documents(), st.randoms(use_true_random=False))
def test_the_spread_does_not_depend_on_the_order_of_lines(
    case: tuple[str, list[tuple[Decimal, Decimal]]], chance: object
) -> None:
    currency, lines = case
    shuffled = sorted(lines, key=lambda _: chance.random())

    def taxed(ordered: list[tuple[Decimal, Decimal]]) -> Counter[object]:
        return Counter(zip(ordered, taxes_of(ordered, rounding=TaxRounding.DOCUMENT, currency=currency), strict=True))

    assert taxed(shuffled) == taxed(lines)


@given(documents(least=1), st.sampled_from(TaxRounding), st.data())
def test_notes_give_back_exactly_the_tax_of_what_they_take_back(
    case: tuple[str, list[tuple[Decimal, Decimal]]], rounding: TaxRounding, data: st.DataObject
) -> None:
    """Up to three notes over parts of the lines, then one over all that is left."""
    currency, lines = case
    unit = D(1).scaleb(-minor_digits(currency))
    taxes = taxes_of(lines, rounding=rounding, currency=currency)
    billed = [
        BilledLine(str(place), net, tax, tax_rate=rate)
        for place, ((net, rate), tax) in enumerate(zip(lines, taxes, strict=True))
    ]
    for _ in range(data.draw(st.integers(0, 3))):
        some = [one for one in billed if one.left and data.draw(st.booleans())]
        parts = {one.id: unit * data.draw(st.integers(1, int(one.left / unit))) for one in some}
        if parts:
            credited = credit_lines(billed, parts, currency=currency, tax_rounding=rounding)
            assert all(one.tax >= 0 for one in credited)
            billed = _after(billed, credited)
            assert all(abs(one.credited_tax * one.net - one.tax * one.credited) < unit * one.net for one in billed)
    if any(one.left for one in billed):
        billed = _after(billed, credit_lines(billed, None, currency=currency, tax_rounding=rounding))
    assert [one.credited_tax for one in billed] == taxes


def _after(billed: list[BilledLine], credited: list[CreditedLine]) -> list[BilledLine]:
    notes = {one.id: one for one in credited}
    none = CreditedLine("", D(0), D(0))
    return [
        BilledLine(
            one.id,
            one.net,
            one.tax,
            one.credited + notes.get(one.id, none).amount,
            one.credited_tax + notes.get(one.id, none).tax,
            one.tax_rate,
        )
        for one in billed
    ]
