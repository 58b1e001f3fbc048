"""Prices, and how a line came about, in words. Says what the stored values say and computes nothing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from functools import partial
from typing import Any

from billing.facade import Price
from console.formats import DASH, exact_money, money, quantity
from kernel.money import EXACT

_MILLION = Decimal(1_000_000)
_UNIT_NAMES = {"s": "second"}
#: What the pricing step did with the charged units, by the type of the pricing model.
_MODELS = {
    "per_unit": "{units}, each at the same price",
    "package": "{units}, in begun packages",
    "graduated": "{units}, each at the price of its own tier",
    "volume": "{units}, all at the price of the tier the total falls in",
    "percentage": "a percentage of {units}",
    "graduated_percentage": "{units}, each part at the rate of its own tier",
    "matrix": "{units}, each group at its own price",
}


#: What a person chooses a pricing model by.
MODEL_NAMES = {
    "flat": "Flat amount",
    "per_unit": "Per unit",
    "graduated": "Graduated tiers: each unit at its tier's price",
    "volume": "Volume tiers: all units at the last tier's price",
    "package": "Packages",
    "percentage": "Percentage",
    "graduated_percentage": "Percentage by tiers",
    "matrix": "Matrix: by dimensions",
}


@dataclass(frozen=True, slots=True)
class PriceWords:
    """A price as a sentence, what limits it, and its tiers or cells as a table."""

    name: str
    sentence: str
    conditions: tuple[str, ...]
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


def unit_of(price: Price) -> str:
    """One unit of what a price counts: "turn", "second", "seat"."""
    if price.kind == "seat":
        return "seat"
    return unit_name(price.meter.unit if price.meter else "") or "unit"


def unit_name(unit: str) -> str:
    """The unit of a meter in a word: "second" for "s"."""
    return _UNIT_NAMES.get(unit, unit)


def price_in_words(price: Price, *, currency: str, interval: str) -> PriceWords:
    """Such as "$0.05 per turn"; `price.meter` should be loaded."""
    unit = unit_of(price)
    sentence = _sentence(price.model, unit, currency)
    if price.kind in {"fixed", "commitment"}:
        sentence += f" per {interval}"
    elif price.kind == "seat":
        sentence += f" and {interval}"
    columns, rows = _table(price.model, unit, currency)
    return PriceWords(price.name, sentence, tuple(_conditions(price, unit, currency)), columns, rows)


def _sentence(model: Mapping[str, Any], unit: str, currency: str) -> str:
    kind = model["type"]
    if kind == "flat":
        return exact_money(Decimal(model["amount"]), currency)
    if kind == "per_unit":
        return _per_unit(Decimal(model["unit_amount"]), unit, currency)
    if kind == "package":
        size, amount = quantity(Decimal(model["package_size"])), exact_money(Decimal(model["package_amount"]), currency)
        free = Decimal(model["free_units"])
        return f"{amount} per begun package of {size} ({unit})" + (f", {quantity(free)} free" if free else "")
    if kind == "percentage":
        fixed, free = Decimal(model["fixed_amount"]), Decimal(model["free_units"])
        return (
            f"{quantity(Decimal(model['rate']))}%"
            + (f" plus {exact_money(fixed, currency)} per event" if fixed else "")
            + (f", the first {quantity(free)} free" if free else "")
        )
    return {
        "graduated": f"Per {unit}, each at the price of its own tier",
        "volume": f"Per {unit}, all at the price of the tier that the total falls in",
        "graduated_percentage": "A percentage, each part at the rate of its own tier",
        "matrix": f"Per {unit}, by {' and '.join(model.get('dimensions', []))}",
    }.get(kind, str(kind))


def _per_unit(amount: Decimal, unit: str, currency: str) -> str:
    text = f"{exact_money(amount, currency)} per {unit}"
    if 0 < amount < Decimal("0.0005"):
        text += f" ({exact_money(EXACT.multiply(amount, _MILLION), currency)} per million)"
    return text


def _conditions(price: Price, unit: str, currency: str) -> list[str]:
    found = [f"where {name} is {value}" for name, value in sorted(price.filter.items())]
    if price.included:
        found.append(f"first {quantity(price.included)} {plural(unit)} included")
    if price.minimum is not None:
        found.append(f"at least {exact_money(price.minimum, currency)}")
    if price.maximum is not None:
        found.append(f"at most {exact_money(price.maximum, currency)}")
    if price.bill == "in_advance":
        found.append("in advance")
    if not price.prorate:
        found.append("not prorated")
    return found


def interval_in_words(interval: str, count: int) -> str:
    """ "month", or "3 months"."""
    return interval if count == 1 else f"{count} {interval}s"


def plural(unit: str) -> str:
    """Units of more than one letter have an s for many; signs and currencies stay."""
    return unit if unit.isupper() or len(unit) == 1 else f"{unit}s"


def _table(model: Mapping[str, Any], unit: str, currency: str) -> tuple[tuple[str, ...], tuple[tuple[str, ...], ...]]:
    if "tiers" in model:
        return _tiers(model["tiers"], plural(unit).capitalize(), unit, currency)
    if "cells" in model:
        rows = [
            (", ".join(f"{name} {value}" for name, value in cell["where"].items()), cell["unit_amount"])
            for cell in model["cells"]
        ]
        if "default_unit_amount" in model:
            rows.append(("everything else", model["default_unit_amount"]))
        return ("Where", f"Per {unit}"), tuple(
            (where, exact_money(Decimal(amount), currency)) for where, amount in rows
        )
    return (), ()


def _tiers(
    tiers: list[Mapping[str, Any]], counted: str, unit: str, currency: str
) -> tuple[tuple[str, ...], tuple[tuple[str, ...], ...]]:
    has_flat = any(Decimal(tier.get("flat_amount") or 0) for tier in tiers)
    by_rate = "rate" in tiers[0]
    columns = (counted, "Rate" if by_rate else f"Per {unit}", *(["Flat"] if has_flat else []))
    rows, lower = [], Decimal(0)
    for tier in tiers:
        upper = tier["up_to"]
        span = f"over {quantity(lower)}" if upper is None else f"{quantity(lower)} {DASH} {quantity(Decimal(upper))}"
        price = (
            f"{quantity(Decimal(tier['rate']))}%" if by_rate else exact_money(Decimal(tier["unit_amount"]), currency)
        )
        flat = [exact_money(Decimal(tier.get("flat_amount") or 0), currency)] if has_flat else []
        rows.append((span, price, *flat))
        lower = Decimal(upper) if upper is not None else lower
    return columns, tuple(rows)


def amount_in_words(amount: Decimal, *, currency: str, in_units: bool = False) -> str:
    """An exact amount of money or, of a price in a pricing unit, of credits."""
    return f"{quantity(amount)} credits" if in_units else exact_money(amount, currency)


def step_in_words(
    step: Mapping[str, str], *, unit: str, currency: str, in_units: bool = False, days: int | None = None
) -> str:
    """One stored step from quantity to amount; `in_units` of a price in a pricing unit. `days` is how many the line is
    for."""
    kind, setting = step["kind"], step["setting"]
    before, after = Decimal(step["before"]), Decimal(step["after"])
    units = plural(unit)
    shown = partial(amount_in_words, currency=currency, in_units=in_units)
    if kind == "included":
        return (
            f"{quantity(Decimal(setting))} {units} are included: "
            f"of {quantity(before)}, {quantity(after)} are left to charge"
        )
    if kind == "prepaid":
        return f"Credit grants pay {quantity(before - after)}: {quantity(after)} {units} are left to charge"
    if kind == "pricing":
        counted = f"{quantity(before)} {units if before != 1 else unit}"
        words = _MODELS.get(setting, "a flat amount").format(units=counted)
        return f"{words[0].upper()}{words[1:]}: {shown(after)}"
    if kind in ("minimum", "maximum"):
        limit = shown(Decimal(setting))
        words = "At least" if kind == "minimum" else "At most"
        if before == after:
            return f"{words} {limit}: no difference here"
        return f"{words} {limit}: {shown(before)} becomes {shown(after)}"
    if kind == "proration":
        return f"Prorated to {_part_in_words(setting, days)}: {shown(before)} becomes {shown(after)}"
    if kind == "credits":
        return f"Credit grants pay {shown(before - after)}: {shown(before)} becomes {shown(after)}"
    if kind == "conversion":
        worth = exact_money(Decimal(setting), currency)
        return f"A credit is {worth}: {shown(before)} are {exact_money(after, currency)}"
    if kind == "rounding":
        if before == after:
            return f"Nothing to round: {exact_money(after, currency)}"
        change = f"{exact_money(before, currency)} becomes {exact_money(after, currency)}"
        return f"Rounded half up, once, to {currency}: {change}"
    return f"{kind} {setting}: {step['before']} becomes {step['after']}"


def _part_in_words(fraction: str, days: int | None) -> str:
    """A part of a billing period, as "10 of 31 days" where it is one by the days of the line."""
    whole = Fraction(days) / Fraction(fraction) if days and Fraction(fraction) else Fraction(0)
    if whole and whole.denominator == 1:
        return f"{days} of {whole} days"
    return f"{fraction} of the period, by days"


def tax_in_words(*, amount: Decimal, discount: Decimal, tax: Decimal, rate: Decimal, currency: str) -> list[str]:
    """What comes off and on a line's amount after it was rounded: its discount, and its tax."""
    found = []
    if discount:
        left = money(EXACT.subtract(amount, discount), currency)
        found.append(f"Discounts take off {money(discount, currency)}: {left} is left")
    if tax:
        percent = quantity(EXACT.multiply(rate, Decimal(100)))
        found.append(f"Tax of {percent}% on that is {money(tax, currency)}, beside the amount")
    return found
