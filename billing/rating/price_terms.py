"""Reads the part of a price that decides an amount."""

from __future__ import annotations

from decimal import Decimal
from typing import cast, get_args

from billing.rating.pricing import PricingModel, PricingModelInvalid, read_model
from billing.rating.pricing.exact import ZERO, plain
from billing.rating.pricing.flat import Flat
from billing.rating.pricing.graduated_percentage import GraduatedPercentage
from billing.rating.pricing.matrix import Matrix
from billing.rating.pricing.percentage import Percentage
from billing.rating.pricing.reading import ObjectReader, Problems, child, shown
from billing.rating.rate import Kind, PriceTerms
from kernel.errors import InvalidError


class PriceInvalid(InvalidError):
    """No amount can be worked out from this price; `errors` point into it."""

    code = "price_invalid"


def parse_terms(value: object) -> PriceTerms:
    """`kind`, `model`, `included`, `minimum`, `maximum`, `prorate` and the `pricing_unit` of a price, nothing else;
    of the unit, `{"rate"}`.

    Raises `PricingModelInvalid` if the model is at fault, `PriceInvalid` if only the rest is; pointers
    are relative to the price (`/model/tiers/0/up_to`).
    """
    problems = Problems()
    fields = ObjectReader(value, problems)
    fields.only(("kind", "model", "included", "minimum", "maximum", "prorate", "pricing_unit"))
    kind = fields.values.get("kind") if fields.required("kind") else "usage"
    if kind not in get_args(Kind):
        problems.add("/kind", "unknown_kind", f"{shown(kind)} is not one of {', '.join(get_args(Kind))}")
        kind = "usage"
    prorate = fields.values.get("prorate", True)
    if not isinstance(prorate, bool):
        problems.add("/prorate", "boolean_expected", f"true or false is needed here, not {shown(prorate)}")
    terms = read_terms(fields, kind=cast(Kind, kind), prorate=prorate is True)
    refuse_price(problems)
    return terms


def read_terms(fields: ObjectReader, *, kind: Kind, prorate: bool) -> PriceTerms:
    """The terms among `fields`; problems are collected, and the result is then of no use.

    null is as good as absent for `included`, `minimum`, `maximum` and `pricing_unit`.
    """
    model: PricingModel | None = None
    if fields.required("model"):
        model = read_model(fields.values["model"], fields.problems, pointer=child(fields.pointer, "model"))
    included = fields.quantity("included") if fields.has("included") else ZERO
    minimum = fields.price("minimum") if fields.has("minimum") else None
    maximum = fields.price("maximum") if fields.has("maximum") else None
    if minimum is not None and maximum is not None and minimum > maximum:
        detail = f"the minimum {plain(minimum)} is above the maximum {plain(maximum)}"
        fields.problems.add(child(fields.pointer, "minimum"), "minimum_above_maximum", detail)
    if kind != "usage" and isinstance(model, Percentage | GraduatedPercentage | Matrix):
        detail = f"a {kind} price has no usage for {model.type} to go by"
        fields.problems.add(child(fields.pointer, "model"), "model_needs_usage", detail)
    if kind == "fixed" and included:
        fields.problems.add(
            child(fields.pointer, "included"), "not_applicable", "a fixed price has no units to include"
        )
    return PriceTerms(kind, model or Flat(ZERO), included, minimum, maximum, prorate, _unit_rate(fields))


def _unit_rate(fields: ObjectReader) -> Decimal | None:
    """What one of the pricing unit is worth in the currency; None without a unit."""
    if not fields.has("pricing_unit"):
        return None
    unit = ObjectReader(fields.values["pricing_unit"], fields.problems, pointer=child(fields.pointer, "pricing_unit"))
    unit.only(("rate",))
    rate = unit.price("rate")
    if unit.has("rate") and not rate:
        fields.problems.add(child(unit.pointer, "rate"), "not_positive", "a unit is worth more than nothing")
    return rate


def refuse_price(problems: Problems) -> None:
    """Raise what `parse_terms` says it raises, if there are problems."""
    at_model = any(f"{error.pointer}/".startswith("/model/") for error in problems.errors)
    problems.refuse(PricingModelInvalid if at_model else PriceInvalid, "this price cannot be used")
