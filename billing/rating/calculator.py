"""The price calculator: the body of a request in, the body of its answer out. Stores nothing, knows no HTTP."""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import Decimal

from billing.rating.price_terms import read_terms
from billing.rating.pricing import PricingModelInvalid
from billing.rating.pricing.exact import ZERO, plain, total
from billing.rating.pricing.reading import ObjectReader, Problems, child, read_number, read_text, shown
from billing.rating.pricing.values import Group, GroupUsage, Usage, group_of
from billing.rating.rate import rate
from kernel.errors import InvalidError

MOST_GROUPS = 10_000

_KEYS = ("currency", "model", "quantity", "events", "groups", "included", "minimum", "maximum", "pricing_unit")


class CalculationInvalid(InvalidError):
    """The request makes no sense apart from its model; `errors` point into it."""

    code = "calculation_invalid"


def calculate_price(body: object) -> dict[str, object]:
    """What `POST /api/v1/pricing/calculate` answers to `body`: the same arithmetic as an invoice line's.

    `{"currency", "amount", "rounded", "breakdown", "steps"}`: `amount` exact, `rounded` to the currency,
    `steps` the way there (`billing.rating.rate.Step`). With `pricing_unit: {"rate"}` the price is in units that
    are worth so much each, and so is the breakdown; `units` is what they come to. `quantity` may be left out where
    `groups` are given. Raises `PricingModelInvalid`, `CalculationInvalid`, `UsageInvalid`, `UnpricedUsage` or
    `AmountOutOfRange`, all `InvalidError`, with pointers into the body.
    """
    problems = Problems()
    fields = ObjectReader(body, problems)
    fields.only(_KEYS)
    currency = _currency(fields)
    price = read_terms(fields, kind="usage", prorate=False)
    groups = _groups(fields)
    quantity = _quantity(fields, groups)
    events = _events(fields)
    at_model = any(f"{error.pointer}/".startswith("/model/") for error in problems.errors)
    problems.refuse(PricingModelInvalid if at_model else CalculationInvalid, "no price can be calculated")

    line = rate(price, Usage(quantity, events, groups), currency=currency)
    in_units = {} if line.units is None else {"units": plain(line.units)}
    return {
        "currency": currency,
        **in_units,
        "amount": plain(line.amount_exact),
        "rounded": format(line.amount, "f"),
        "breakdown": [row.to_json() for row in line.breakdown],
        "steps": [step.to_json() for step in line.steps],
    }


def _currency(fields: ObjectReader) -> str:
    currency = fields.values.get("currency") if fields.required("currency") else "XXX"
    if isinstance(currency, str) and re.fullmatch("[A-Z]{3}", currency):
        return currency
    fields.problems.add("/currency", "currency_invalid", f"{shown(currency)} is not an ISO 4217 code such as USD")
    return "XXX"


def _quantity(fields: ObjectReader, groups: tuple[GroupUsage, ...]) -> Decimal:
    if groups and not fields.has("quantity"):
        # Summed only to be right by construction; what does not fit is refused with the groups.
        return ZERO if fields.problems.errors else total(part.quantity for part in groups)
    return fields.quantity("quantity")


def _events(fields: ObjectReader) -> int | None:
    if not fields.has("events"):
        return None
    return int(read_number(fields.values["events"], fields.problems, "/events", places=0))


def _groups(fields: ObjectReader) -> tuple[GroupUsage, ...]:
    if not fields.has("groups") or fields.values["groups"] == []:
        return ()
    parts: list[GroupUsage] = []
    for index, item in enumerate(fields.items("groups", most=MOST_GROUPS)):
        reader = ObjectReader(item, fields.problems, pointer=f"/groups/{index}")
        reader.only(("group", "quantity"))
        parts.append(GroupUsage(_group(reader), reader.quantity("quantity")))
    return tuple(parts)


def _group(reader: ObjectReader) -> Group:
    if not reader.required("group"):
        return ()
    pointer = child(reader.pointer, "group")
    value = reader.values["group"]
    if not isinstance(value, Mapping):
        reader.problems.add(pointer, "object_expected", f"an object is needed here, not {shown(value)}")
        return ()
    group: dict[str, str | None] = {}
    for name, at in value.items():
        here = child(pointer, str(name))
        group[str(name)] = None if at is None else read_text(at, reader.problems, here)
        read_text(name, reader.problems, here)
    return group_of(group)
