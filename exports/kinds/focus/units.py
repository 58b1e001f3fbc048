"""What is sold, in the words of FOCUS: SKUs, units, services. One SKU for each price, so for each token direction."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from billing.facade import InvoiceLine
from exports.kinds.focus.charges import Charge

_DIRECTIONS = {
    "input_tokens": "input",
    "cached_input_tokens": "cached",
    "output_tokens": "output",
    "reasoning_tokens": "output",
}
_UNITS = {"s": "Seconds", "ms": "Milliseconds", "h": "Hours"}

#: FOCUS asks for one subcategory of each service, and a service here is a plan: agents, whatever it prices them by.
SERVICE_CATEGORY, SERVICE_SUBCATEGORY = "AI and Machine Learning", "AI Platforms"


@dataclass(frozen=True, slots=True)
class Sku:
    """`sku` is what is sold, `price` that at one of its prices; `details` is JSON."""

    sku: str
    price: str
    meter: str
    details: str


def sku_of(line: InvoiceLine, charge: Charge | None) -> Sku:
    """The SKU of a line; what no price says (a charge by hand) is one of its own."""
    if line.price is None:
        return Sku("one-off", "one-off", line.kind, json.dumps({"x_PricingModel": "one_off"}))
    sku = f"{line.price.plan_version.plan.key}/{line.price.key}"
    tier = charge.tier if charge is not None else ""
    details = {
        "x_PricingModel": line.price.model.get("type"),
        "x_Tier": tier or None,
        "x_TokenDirection": token_direction(line),
    }
    given = {name: value for name, value in details.items() if value is not None}
    meter = line.price.meter.name if line.price.meter else line.kind
    price = f"{line.price_id}:{tier}" if tier else str(line.price_id)
    return Sku(sku, price, meter, json.dumps(given, ensure_ascii=False, sort_keys=True))


def token_direction(line: InvoiceLine) -> str | None:
    """`input`, `cached` or `output`, by the value that the line's meter sums up."""
    path = _definition(line).get("value") or ""
    return _DIRECTIONS.get(path.removeprefix("data."))


def _definition(line: InvoiceLine) -> dict[str, Any]:
    return line.meter_version.definition if line.meter_version else {}


def unit_name(kind: str, meter: Any) -> str:
    """A unit as FOCUS writes it: capitalized, in the plural. Source: its attribute "Unit Format"."""
    if kind == "seat":
        return "Seats"
    unit = meter.unit if meter else ""
    if not unit:
        return "Units"
    if unit in _UNITS:
        return _UNITS[unit]
    if not unit.isalpha() or not unit.islower():
        return str(unit)
    return unit.capitalize() + ("" if unit.endswith("s") else "s")
