"""Pricing models: how a quantity becomes money.

One file per model; each is a frozen value with `read` (from JSON), `to_json` (back, canonical) and
`charge` (usage to an exact amount). What must always hold:

- Nothing is rounded here. A charge is exact to the last digit, or an error.
- A charge's breakdown sums to its amount.
- What is not understood is refused. No model has a default that costs anybody money.
- `parse_model(model.to_json()) == model`.
"""

from __future__ import annotations

from typing import Final

from billing.rating.pricing.exact import ZERO, AmountOutOfRange
from billing.rating.pricing.flat import Flat
from billing.rating.pricing.graduated import Graduated
from billing.rating.pricing.graduated_percentage import GraduatedPercentage
from billing.rating.pricing.matrix import Matrix
from billing.rating.pricing.matrix_cells import Cell
from billing.rating.pricing.package import Package
from billing.rating.pricing.per_unit import PerUnit
from billing.rating.pricing.percentage import Percentage
from billing.rating.pricing.reading import ObjectReader, Problems, child, shown
from billing.rating.pricing.tiers import Tier
from billing.rating.pricing.values import (
    BreakdownRow,
    Charge,
    Group,
    GroupUsage,
    UnpricedUsage,
    Usage,
    UsageInvalid,
    group_of,
)
from billing.rating.pricing.volume import Volume
from kernel.errors import InvalidError

PricingModel = Flat | PerUnit | Package | Graduated | Volume | Percentage | GraduatedPercentage | Matrix

_MODELS: Final[dict[str, type[PricingModel]]] = {
    model.type: model for model in (Flat, PerUnit, Package, Graduated, Volume, Percentage, GraduatedPercentage, Matrix)
}

__all__ = [
    "AmountOutOfRange",
    "BreakdownRow",
    "Cell",
    "Charge",
    "Flat",
    "Graduated",
    "GraduatedPercentage",
    "Group",
    "GroupUsage",
    "Matrix",
    "Package",
    "PerUnit",
    "Percentage",
    "PricingModel",
    "PricingModelInvalid",
    "Tier",
    "UnpricedUsage",
    "Usage",
    "UsageInvalid",
    "Volume",
    "calculate",
    "group_of",
    "parse_model",
    "read_model",
]


class PricingModelInvalid(InvalidError):
    """No price can be worked out from this; `errors` point into the model."""

    code = "pricing_model_invalid"


def parse_model(value: object) -> PricingModel:
    """The pricing model that a JSON object describes; raises `PricingModelInvalid` for whatever is not one."""
    problems = Problems()
    model = read_model(value, problems)
    problems.refuse(PricingModelInvalid, "this pricing model cannot be used")
    return model


def read_model(value: object, problems: Problems, *, pointer: str = "") -> PricingModel:
    """As `parse_model`, as a part of something larger: problems are collected, and the result is then of no use."""
    fields = ObjectReader(value, problems, pointer=pointer)
    if not fields.required("type"):
        return Flat(ZERO)
    kind = fields.values["type"]
    if not isinstance(kind, str) or kind not in _MODELS:
        detail = f"{shown(kind)} is not a pricing model; there are {', '.join(_MODELS)}"
        problems.add(child(pointer, "type"), "unknown_model_type", detail)
        return Flat(ZERO)
    fields.only(_MODELS[kind].keys)
    return _MODELS[kind].read(fields)


def calculate(model: PricingModel, usage: Usage) -> Charge:
    """What `usage` costs under `model`, exactly.

    Raises `UnpricedUsage` (a matrix without default meets usage that no cell names), `UsageInvalid` (a
    number of events is needed and missing) and `AmountOutOfRange` (more than 60 digits).
    """
    return model.charge(usage)
