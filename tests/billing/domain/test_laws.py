"""What holds for every pricing model and every quantity."""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from decimal import Context, Decimal, localcontext
from fractions import Fraction
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from billing.rating.calculator import calculate_price
from billing.rating.pricing import calculate, parse_model
from billing.rating.pricing.exact import plain
from billing.rating.pricing.values import UnpricedUsage, Usage
from billing.rating.proration import period_fraction, segments
from billing.rating.rate import PriceTerms, rate
from kernel.errors import InvalidError
from kernel.period import Month

Json = dict[str, object]


def exact_sum(numbers: Iterable[Decimal]) -> Fraction:
    """`sum` itself would round, in the 28 digits of Python's default context."""
    return sum((Fraction(number) for number in numbers), Fraction(0))


prices = st.decimals(0, 1000, places=6).map(plain)
quantities = st.decimals(0, 100_000, places=6)
edges = st.lists(st.decimals(0, 50_000, places=3), max_size=5, unique=True).map(sorted)


@st.composite
def tiered(draw: st.DrawFn, kind: str = "graduated", price: str = "unit_amount", flat: bool = True) -> Json:
    tiers: list[Json] = [
        {"up_to": None if edge is None else plain(edge), price: draw(prices)} for edge in [*draw(edges), None]
    ]
    if flat:
        tiers = [{**tier, "flat_amount": draw(prices)} for tier in tiers]
    return {"type": kind, "tiers": tiers}


@st.composite
def matrices(draw: st.DrawFn) -> Json:
    """Cells of one dimension, and under both dimensions: none contradict each other."""
    values = draw(st.lists(st.text(min_size=1, max_size=3, alphabet="abc/~é"), unique=True, max_size=4))
    cells: list[Json] = [{"where": {"m": value}, "unit_amount": draw(prices)} for value in values]
    cells += [{"where": {"m": value, "r": "eu"}, "unit_amount": draw(prices)} for value in values[:2]]
    return {"type": "matrix", "dimensions": ["r", "m"], "cells": cells, "default_unit_amount": draw(prices)}


plain_models = st.one_of(
    st.builds(lambda amount: {"type": "flat", "amount": amount}, prices),
    st.builds(lambda amount: {"type": "per_unit", "unit_amount": amount}, prices),
    st.builds(
        lambda size, amount, free: {
            "type": "package",
            "package_size": plain(size),
            "package_amount": amount,
            "free_units": free,
        },
        st.decimals("0.001", 1000, places=3),
        prices,
        prices,
    ),
    st.builds(
        lambda rate_, fixed, free: {"type": "percentage", "rate": rate_, "fixed_amount": fixed, "free_units": free},
        prices,
        prices,
        prices,
    ),
)
models = st.one_of(plain_models, tiered(), tiered("volume"), tiered("graduated_percentage", "rate"), matrices())


@given(models)
def test_a_model_survives_the_way_to_json_and_back(model: Json) -> None:
    parsed = parse_model(model)
    through_text = json.loads(json.dumps(parsed.to_json()))
    assert parse_model(through_text) == parsed
    assert parse_model(through_text).to_json() == through_text


@given(models, quantities, st.integers(0, 1000))
def test_a_breakdown_sums_to_the_amount_and_covers_the_quantity(model: Json, quantity: Decimal, events: int) -> None:
    charge = calculate(parse_model(model), Usage(quantity, events))
    assert exact_sum(row.amount for row in charge.breakdown) == charge.amount >= 0
    assert sum((row.quantity for row in charge.breakdown), Decimal(0)) == quantity
    for row in charge.breakdown:
        assert row.quantity == row.to - row.from_
        assert row.amount == row.quantity * (row.unit_amount or 0) + row.flat_amount
    for before, after in zip(charge.breakdown, charge.breakdown[1:], strict=False):
        assert before.to == after.from_


@given(st.one_of(plain_models, tiered(), tiered("graduated_percentage", "rate")), quantities, quantities)
def test_more_usage_never_costs_less(model: Json, one: Decimal, other: Decimal) -> None:
    """Not so for volume prices: the next tier may be cheaper for all units. That is what they are for."""
    less, more = sorted((one, other))
    parsed = parse_model(model)
    assert calculate(parsed, Usage(less, 1)).amount <= calculate(parsed, Usage(more, 1)).amount


@given(tiered("volume"), quantities, quantities)
def test_more_usage_in_one_volume_tier_never_costs_less(model: Json, one: Decimal, other: Decimal) -> None:
    less, more = (calculate(parse_model(model), Usage(quantity)) for quantity in sorted((one, other)))
    if less.breakdown[0].unit_amount == more.breakdown[0].unit_amount:
        assert less.amount - less.breakdown[0].flat_amount <= more.amount - more.breakdown[0].flat_amount


@given(tiered(flat=False), quantities, st.decimals("0.000001", 60_000, places=6))
def test_a_tier_split_anywhere_costs_the_same(model: Json, quantity: Decimal, cut: Decimal) -> None:
    """A tier cut in two at the same price: every quantity costs what it did."""
    tiers: list[Json] = []
    done = False
    for tier in model["tiers"]:
        if not done and (tier["up_to"] is None or cut < Decimal(tier["up_to"])):
            if not tiers or cut > Decimal(str(tiers[-1]["up_to"])):
                tiers.append({**tier, "up_to": plain(cut)})
            done = True
        tiers.append(tier)
    split = parse_model({"type": "graduated", "tiers": tiers})
    assert calculate(split, Usage(quantity)).amount == calculate(parse_model(model), Usage(quantity)).amount


@given(tiered(flat=False), quantities, quantities)
def test_a_graduated_price_is_the_sum_of_its_parts(model: Json, first: Decimal, rest: Decimal) -> None:
    """What comes after the first units costs the difference: the marginal amounts sum to the whole."""
    parsed = parse_model(model)
    whole = calculate(parsed, Usage(first + rest))
    below = sum(
        ((min(row.to, first) - row.from_) * (row.unit_amount or 0) for row in whole.breakdown if row.from_ < first),
        Decimal(0),
    )
    assert below == calculate(parsed, Usage(first)).amount


@given(st.lists(st.tuples(st.sampled_from("abcd"), st.sampled_from(["eu", None]), quantities), max_size=6), matrices())
def test_a_matrix_does_not_mind_the_order_of_groups(parts: list[tuple[str, str | None, Decimal]], model: Json) -> None:
    groups = [({"m": m, "r": r}, quantity) for m, r, quantity in parts]
    parsed = parse_model(model)
    price = PriceTerms("usage", parsed, included=Decimal(50))
    there, back = Usage.by_group(groups), Usage.by_group(reversed(groups))
    assert calculate(parsed, there).amount == calculate(parsed, back).amount
    assert rate(price, there, currency="USD").amount_exact == rate(price, back, currency="USD").amount_exact
    one_by_one = [calculate(parsed, Usage.by_group([part])).amount for part in groups]
    assert calculate(parsed, there).amount == sum(one_by_one, Decimal(0))


fractions = st.builds(lambda part, whole: Fraction(min(part, whole), whole), st.integers(0, 366), st.integers(1, 366))


@given(
    models,
    quantities,
    st.sampled_from(["fixed", "seat", "usage"]),
    fractions,
    st.tuples(prices, prices).map(sorted),
    prices,
)
def test_a_line_is_its_breakdown_and_within_half_a_cent_of_it(
    model: Json, quantity: Decimal, kind: str, fraction: Fraction, limits: list[str], included: str
) -> None:
    minimum, maximum = sorted(map(Decimal, limits))
    price = PriceTerms(kind, parse_model(model), Decimal(included), minimum=minimum, maximum=maximum)
    line = rate(price, Usage(quantity, 1), currency="USD", fraction=fraction)
    assert exact_sum(row.amount for row in line.breakdown) == line.amount_exact
    assert abs(Fraction(line.amount) - Fraction(line.amount_exact)) <= Fraction("0.005")
    assert line.steps[-1].after == line.amount
    tolerance = Fraction(1, 10**23)
    assert fraction * Fraction(minimum) - tolerance <= line.amount_exact <= fraction * Fraction(maximum) + tolerance


instants = st.datetimes(datetime(2024, 1, 20), datetime(2024, 3, 15), timezones=st.just(UTC))  # noqa: DTZ001
ZONES = "UTC Europe/London America/New_York Pacific/Kiritimati Pacific/Apia"
zones = st.sampled_from(ZONES.split()).map(ZoneInfo)


@given(zones, st.lists(instants, max_size=6).map(sorted), instants, st.timedeltas(timedelta(0), timedelta(60)))
def test_the_parts_of_a_period_sum_to_the_whole(
    zone: ZoneInfo, changes: list[datetime], starts_at: datetime, lasting: timedelta
) -> None:
    february = Month(2024, 2).period(zone)
    in_force = {"starts_at": starts_at, "ends_at": starts_at + lasting}
    parts = segments(february, zone, changes_at=changes, **in_force)
    assert len(parts) == len(changes) + 1
    assert all(part >= 0 for part in parts)
    assert sum(parts, Fraction(0)) == period_fraction(february, zone, **in_force) <= 1
    assert sum(segments(february, zone, changes_at=changes), Fraction(0)) == 1


@given(zones, st.lists(instants, max_size=6).map(sorted), st.decimals(0, 100_000, places=2))
def test_fees_for_the_parts_of_a_period_sum_to_the_fee(zone: ZoneInfo, changes: list[datetime], fee: Decimal) -> None:
    """Each line is rounded on its own, so they may differ by half a cent each, and by nothing before rounding."""
    price = PriceTerms("fixed", parse_model({"type": "flat", "amount": plain(fee)}))
    parts = segments(Month(2024, 2).period(zone), zone, changes_at=changes)
    lines = [rate(price, Usage(Decimal(1)), currency="USD", fraction=part) for part in parts]
    assert abs(exact_sum(line.amount_exact for line in lines) - Fraction(fee)) < Fraction("1E-22")
    assert abs(sum(line.amount for line in lines) - fee) <= Decimal("0.005") * len(lines)


KEYS = """
type amount unit_amount tiers up_to flat_amount rate free_units package_size package_amount fixed_amount dimensions
cells where default_unit_amount currency model quantity events groups group included minimum
"""
keys = st.sampled_from(KEYS.split())
MODELS = "flat per_unit package graduated volume percentage graduated_percentage matrix"
words = st.one_of(
    st.sampled_from(MODELS.split()),
    st.sampled_from(["a", "USD", "1", "0", "-1", "1E+400", "NaN", "Infinity", "1e3", "0.1", "9" * 100, " 1"]),
    st.sampled_from(["\x00", "\ud800", ""]),
)
scalars = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=5), words)
anything = st.recursive(
    scalars,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.dictionaries(st.one_of(keys, st.text(max_size=5)), inner, max_size=5),
    ),
    max_leaves=20,
)


@given(anything)
@example({"type": "matrix", "dimensions": ["\ud800"], "cells": [{"where": {"\ud800": "x"}}]})
@example({"type": "graduated", "tiers": [{"up_to": float("nan"), "unit_amount": "1"}, {"up_to": None}]})
@example({"type": "flat", "amount": "9" * 10_000_000})
def test_whatever_json_comes_is_a_model_or_refused(value: object) -> None:
    try:
        parse_model(value)
    except InvalidError as error:
        refusal = error
    else:
        return
    assert refusal.errors
    for problem in refusal.errors:
        # What is wrong can always be written in an answer.
        json.dumps([problem.pointer, problem.detail], ensure_ascii=False).encode()
        assert len(problem.detail) < 500


@given(st.dictionaries(keys, anything, max_size=8), models, anything)
def test_whatever_is_asked_is_calculated_or_refused(noise: Json, model: Json, quantity: object) -> None:
    for body in (noise, {"currency": "USD", "model": model, "quantity": quantity}):
        try:
            json.dumps(calculate_price(body), ensure_ascii=False).encode()
        except InvalidError as error:
            json.dumps([error.detail, *[problem.pointer for problem in error.errors]], ensure_ascii=False).encode()


@given(st.text(max_size=400), st.text(max_size=400))
def test_an_unpriced_group_is_told_in_words_that_can_be_written(dimension: str, value: str) -> None:
    model = parse_model({"type": "matrix", "dimensions": ["a"], "cells": [{"where": {"a": "x"}, "unit_amount": "1"}]})
    usage = Usage.by_group([({f"{dimension}!": value}, Decimal(1))])
    with pytest.raises(UnpricedUsage) as caught:
        calculate(model, usage)
    assert len(caught.value.detail) < 500


@given(models, quantities, st.sampled_from(["fixed", "seat", "usage"]), fractions, prices)
def test_the_callers_decimal_context_is_of_no_effect(
    model: Json, quantity: Decimal, kind: str, fraction: Fraction, included: str
) -> None:
    price = PriceTerms(kind, parse_model(model), Decimal(included), minimum=Decimal("0.123456"))
    line = rate(price, Usage(quantity, 1), currency="USD", fraction=fraction)
    with localcontext(Context(prec=2)):
        assert parse_model(parse_model(model).to_json()) == price.model
        assert rate(price, Usage(quantity, 1), currency="USD", fraction=fraction) == line
