"""A plan as it stands in the editor: what was typed, whatever it is; as the API's body; and which fault is whose.

Names of fields: `prices-0-key`, `prices-0-tiers-1-up_to`, `prices-0-cells-1-where`, with `…-count` beside them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from billing.facade import PlanVersion, Price
from console.reader import number_typed
from kernel.errors import FieldError
from kernel.money import EXACT

PLAN_FIELDS = (
    *("key", "name", "currency", "interval", "interval_count", "trial_days"),
    *("add_on", "minimum_commitment", "invoice_threshold", "settlement_hours"),
)
#: What an editor of a further version may change.
VERSION_FIELDS = ("currency", "minimum_commitment", "invoice_threshold", "settlement_hours")

PRICE_FIELDS = (
    *("key", "name", "kind", "meter", "filter", "bill", "prorate", "included", "minimum", "maximum"),
    *("pricing_unit", "tax_rate", "type"),
)
TIERED = {"graduated": "unit_amount", "volume": "unit_amount", "graduated_percentage": "rate"}
#: The fields of each pricing model that are not rows of a table.
MODEL_FIELDS: dict[str, tuple[str, ...]] = {
    "flat": ("amount",),
    "per_unit": ("unit_amount",),
    "package": ("package_size", "package_amount", "free_units"),
    "percentage": ("rate", "fixed_amount", "free_units"),
    "graduated": (),
    "volume": (),
    "graduated_percentage": (),
    "matrix": ("dimensions", "default_unit_amount"),
}
#: What may be charged by what.
MODELS_OF = {
    "fixed": ("flat",),
    "seat": ("per_unit", "graduated", "volume", "package", "flat"),
    "usage": tuple(MODEL_FIELDS),
}
_ALL_MODEL_FIELDS = tuple(dict.fromkeys(name for names in MODEL_FIELDS.values() for name in names))
_TIER_FIELDS = ("up_to", "unit_amount", "rate", "flat_amount")
_CELL_FIELDS = ("where", "unit_amount")
#: What is no number however it looks.
_TEXTS = {"key", "name", "filter", "dimensions", "where"}

#: The name of a field in what is said of one that is missing.
_MISSING = re.compile(r"^[a-z_]+(?= is missing$)")

MOST_PRICES, MOST_ROWS = 100, 200
_LONGEST = 2000

Fields = dict[str, str]


@dataclass
class PriceDraft:
    """One row of the editor."""

    fields: Fields = field(default_factory=dict)
    tiers: list[Fields] = field(default_factory=list)
    cells: list[Fields] = field(default_factory=list)
    is_new: bool = False

    @property
    def kind(self) -> str:
        return self.fields.get("kind") or "usage"

    @property
    def type(self) -> str:
        chosen = self.fields.get("type") or ""
        return chosen if chosen in MODELS_OF.get(self.kind, ()) else MODELS_OF.get(self.kind, ("flat",))[0]

    def body(self) -> dict[str, Any]:
        """As in the API; what does not go with the kind is left out."""
        given = {name: text for name, text in self.fields.items() if text}
        found: dict[str, Any] = {"key": given.get("key", ""), "kind": self.kind, "model": self._model()}
        names = {"fixed": ("name", "bill", "tax_rate"), "seat": ("name", "bill", "included", "minimum", "maximum")}
        names["seat"] += ("pricing_unit", "tax_rate")
        usage = ("name", "meter", "included", "minimum", "maximum", "pricing_unit", "tax_rate")
        found |= {name: given[name] for name in names.get(self.kind, usage) if name in given}
        if self.kind == "usage" and "filter" in given:
            found["filter"] = pairs(given["filter"])
        if "prorate" not in given:
            found["prorate"] = False
        if rate := found.get("tax_rate"):
            found["tax_rate"] = _from_percent(rate)
        return found

    def _model(self) -> dict[str, Any]:
        kind = self.type
        model: dict[str, Any] = {"type": kind}
        model |= {name: text for name in MODEL_FIELDS[kind] if (text := self.fields.get(name))}
        if price := TIERED.get(kind):
            model["tiers"] = [_tier(row, price, is_last=row is self.tiers[-1]) for row in self.tiers]
        if kind == "matrix":
            model["dimensions"] = [name.strip() for name in model.get("dimensions", "").split(",") if name.strip()]
            model["cells"] = [
                {"where": pairs(row.get("where", ""))}
                | ({"unit_amount": row["unit_amount"]} if row.get("unit_amount") else {})
                for row in self.cells
            ]
        return model


@dataclass
class PlanDraft:
    fields: Fields
    prices: list[PriceDraft]

    def body(self, names: Iterable[str] = PLAN_FIELDS) -> dict[str, Any]:
        """As in the API, with the fields `names` of the plan."""
        given = {name: self.fields[name] for name in names if self.fields.get(name)}
        return given | {"prices": [price.body() for price in self.prices]}

    def edit(self, what: str) -> None:
        """Do what a button of the editor says: `add`, `remove-1`, `up-1`, `down-1`, `tier-1`, `untier-1-0`, `cell-1`,
        `uncell-1-0`. What makes no sense does nothing."""
        action, *numbers = what.split("-")
        if not all(re.fullmatch(r"[0-9]{1,4}", number) for number in numbers):
            return
        places = [int(number) for number in numbers]
        if action == "add" and len(self.prices) < MOST_PRICES:
            self.prices.append(new_price(f"price-{len(self.prices) + 1}"))
        elif 1 <= len(places) <= 2 and places[0] < len(self.prices):
            self._edit_price(action, *places)

    def _edit_price(self, action: str, i: int, j: int = 0) -> None:
        price = self.prices[i]
        if action == "remove":
            del self.prices[i]
        elif action == "up" and i > 0:
            self.prices.insert(i - 1, self.prices.pop(i))
        elif action == "down":
            self.prices.insert(i + 1, self.prices.pop(i))
        elif action == "tier" and len(price.tiers) < MOST_ROWS:
            price.tiers.insert(max(len(price.tiers) - 1, 0), {"is_new": "1"})
        elif action == "untier" and j < len(price.tiers):
            del price.tiers[j]
        elif action == "cell" and len(price.cells) < MOST_ROWS:
            price.cells.append({"is_new": "1"})
        elif action == "uncell" and j < len(price.cells):
            del price.cells[j]

    def tidy(self) -> None:
        """Give tables that a pricing model needs their first rows."""
        for price in self.prices:
            if price.type in TIERED and not price.tiers:
                price.tiers = [{}, {}]
            if price.type == "matrix" and not price.cells:
                price.cells = [{}]


def new_price(key: str = "") -> PriceDraft:
    return PriceDraft(
        {"key": key, "kind": "usage", "type": "per_unit", "prorate": "on", "bill": "in_arrears"}, is_new=True
    )


def empty_draft(currency: str = "USD") -> PlanDraft:
    fields = {"currency": currency, "interval": "month", "interval_count": "1", "trial_days": "0"}
    base = PriceDraft(
        {"key": "base", "name": "Base fee", "kind": "fixed", "type": "flat", "prorate": "on", "bill": "in_advance"}
    )
    usage = new_price("usage")
    usage.is_new = False  # where one begins is the plan's name
    return PlanDraft(fields, [base, usage])


def read_draft(sent: Mapping[str, str]) -> PlanDraft:
    """What was typed; characters that cannot be stored are taken out, and there is an end to everything."""

    def text(name: str) -> str:
        typed = sent.get(name, "").replace("\x00", "").strip()[:_LONGEST]
        return typed if name.rpartition("-")[2] in _TEXTS else number_typed(typed)

    def count(name: str, most: int) -> int:
        found = text(f"{name}-count")
        return min(int(found), most) if re.fullmatch(r"[0-9]{1,6}", found) else 0

    prices = []
    for i in range(count("prices", MOST_PRICES)):
        at = f"prices-{i}"
        fields = {name: text(f"{at}-{name}") for name in (*PRICE_FIELDS, *_ALL_MODEL_FIELDS)}
        tiers = [{n: text(f"{at}-tiers-{j}-{n}") for n in _TIER_FIELDS} for j in range(count(f"{at}-tiers", MOST_ROWS))]
        cells = [{n: text(f"{at}-cells-{j}-{n}") for n in _CELL_FIELDS} for j in range(count(f"{at}-cells", MOST_ROWS))]
        prices.append(PriceDraft(fields, tiers, cells))
    return PlanDraft({name: text(name) for name in PLAN_FIELDS}, prices)


def draft_of(version: PlanVersion) -> PlanDraft:
    """A version that exists, to be changed into the next."""
    plan = version.plan
    fields = {"key": plan.key, "name": plan.name, "add_on": "on" if plan.add_on else ""}
    names = ("currency", "interval", "interval_count", "trial_days", "settlement_hours")
    fields |= {name: str(getattr(version, name)) for name in names}
    fields["invoice_threshold"] = _plain(version.invoice_threshold)
    prices = list(version.prices.all())
    committed = [price for price in prices if price.kind == "commitment"]
    fields["minimum_commitment"] = str(committed[0].model["amount"]) if committed else ""
    return PlanDraft(fields, [_price(price) for price in prices if price.kind != "commitment"])


def _price(price: Price) -> PriceDraft:
    model = price.model
    fields = {name: str(getattr(price, name) or "") for name in ("key", "name", "kind", "bill")}
    fields |= {"type": model["type"], "prorate": "on" if price.prorate else "", "filter": _text(price.filter)}
    fields |= {"meter": price.meter.key if price.meter else "", "included": _plain(price.included or None)}
    fields |= {name: _plain(getattr(price, name)) for name in ("minimum", "maximum")}
    fields["pricing_unit"] = price.pricing_unit.key if price.pricing_unit else ""
    fields["tax_rate"] = "" if price.tax_rate is None else _plain(EXACT.multiply(price.tax_rate, Decimal(100)))
    fields |= {name: str(model[name]) for name in MODEL_FIELDS[model["type"]] if name in model and name != "dimensions"}
    fields["dimensions"] = ", ".join(model.get("dimensions", []))
    tiers = [
        {name: "" if text is None else str(text) for name, text in tier.items()} for tier in model.get("tiers", [])
    ]
    cells = [{"where": _text(cell["where"]), "unit_amount": cell["unit_amount"]} for cell in model.get("cells", [])]
    return PriceDraft(fields, tiers, cells)


def fault_names(faults: Iterable[FieldError]) -> dict[str, list[str]]:
    """What is wrong by the name of the field it is said at; `` for the plan as a whole."""
    found: dict[str, list[str]] = {}
    for fault in faults:
        found.setdefault(_name(fault.pointer), []).append(fault.detail)
    return found


def faults_in_words(draft: PlanDraft, faults: Iterable[FieldError]) -> str:
    """What is wrong, each fault with the name of the price that it is in."""
    found: dict[str, list[str]] = {}
    for fault in faults:
        parts = fault.pointer.strip("/").split("/")
        details = found.setdefault(_whose(draft, parts), [])
        if (detail := _MISSING.sub(_spaced, fault.detail)) not in details:
            details.append(detail)
    return " ".join(f"{whose}{', '.join(details)}." for whose, details in found.items())


def _whose(draft: PlanDraft, parts: list[str]) -> str:
    if len(parts) < 2 or parts[0] != "prices" or not parts[1].isdigit() or int(parts[1]) >= len(draft.prices):
        return ""
    fields = draft.prices[int(parts[1])].fields
    return f"{fields.get('name') or fields.get('key') or f'Price {int(parts[1]) + 1}'}: "


def _spaced(found: re.Match[str]) -> str:
    return found[0].replace("_", " ")


def _name(pointer: str) -> str:
    parts = [part for part in pointer.split("/") if part]
    if parts[:1] != ["prices"]:
        return parts[0] if parts and parts[0] in PLAN_FIELDS else ""
    if len(parts) == 1:
        return ""
    rest = [part for part in parts[2:] if part != "model"]
    if rest[:1] in (["tiers"], ["cells"]):
        return "-".join([*parts[:2], *rest[:3]])
    return "-".join([*parts[:2], *rest[:1]])


def pairs(text: str) -> dict[str, str]:
    """`model=large, region=eu` as names and values."""
    found = {}
    for part in text.split(","):
        name, _, value = part.partition("=")
        if name.strip():
            found[name.strip()] = value.strip()
    return found


def _text(where: Mapping[str, str]) -> str:
    return ", ".join(f"{name}={value}" for name, value in where.items())


def _tier(row: Fields, price: str, *, is_last: bool) -> dict[str, Any]:
    tier: dict[str, Any] = {"up_to": row.get("up_to") or None}
    if not is_last and not row.get("up_to"):
        tier.pop("up_to")
    return tier | {name: row[name] for name in (price, "flat_amount") if row.get(name)}


def _from_percent(text: str) -> str:
    """`19` as `0.19`; what is no number stays as it is, to be refused."""
    try:
        return format(EXACT.multiply(Decimal(text), Decimal("0.01")), "f")
    except ArithmeticError:
        return text


def _plain(value: Decimal | None) -> str:
    return "" if value is None else format(value.normalize(EXACT) + 0, "f")
