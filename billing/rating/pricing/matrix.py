"""A unit price by what the usage's dimensions are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import ClassVar

from billing.rating.pricing.exact import ZERO, plain, subtract, total
from billing.rating.pricing.matrix_cells import Cell, CellTable, read_cells, read_dimensions
from billing.rating.pricing.reading import ObjectReader
from billing.rating.pricing.tiers import row_of
from billing.rating.pricing.values import BreakdownRow, Charge, Group, GroupUsage, UnpricedUsage, Usage
from kernel.errors import FieldError


@dataclass(frozen=True, slots=True)
class Matrix:
    """The cell that names most of a group's dimensions gives its price, else `default_unit_amount`.

    The values a dimension takes are open, so without a default there can be usage that has no price:
    `charge` then raises `UnpricedUsage`. A quantity that comes without groups is one group with no
    dimensions, which only a default can price. Dimensions that the matrix does not know do not matter.
    """

    type: ClassVar[str] = "matrix"
    keys: ClassVar[tuple[str, ...]] = ("type", "dimensions", "cells", "default_unit_amount")

    dimensions: tuple[str, ...]
    cells: tuple[Cell, ...]
    default_unit_amount: Decimal | None = None

    @classmethod
    def read(cls, fields: ObjectReader) -> Matrix:
        dimensions = read_dimensions(fields)
        cells = read_cells(fields, dimensions)
        default = fields.price("default_unit_amount") if fields.has("default_unit_amount") else None
        if not cells and default is None and not fields.problems.errors:
            fields.problems.add(fields.pointer, "unpriceable", "a matrix with no cell and no default prices nothing")
        return cls(dimensions, cells, default)

    def to_json(self) -> dict[str, object]:
        model: dict[str, object] = {
            "type": self.type,
            "dimensions": list(self.dimensions),
            "cells": [{"where": dict(cell.where), "unit_amount": plain(cell.unit_amount)} for cell in self.cells],
        }
        if self.default_unit_amount is not None:
            model["default_unit_amount"] = plain(self.default_unit_amount)
        return model

    def split(self, usage: Usage) -> tuple[Usage, tuple[GroupUsage, ...]]:
        """Return `usage` without the groups that neither a cell nor the default prices, and those groups."""
        table = CellTable(self.cells)
        groups = usage.groups or (GroupUsage((), usage.quantity),)
        unpriced = tuple(one for one in groups if one.quantity and self._price(table, dict(one.group)) is None)
        kept = tuple(one for one in groups if one not in unpriced)
        return Usage(total(one.quantity for one in kept), usage.events, kept), unpriced

    def charge(self, usage: Usage) -> Charge:
        rows = [_row(part, price) for part, price in self._priced(usage)]
        return Charge.of(sorted(rows, key=lambda row: _order(row.group or ())))

    def without(self, usage: Usage, units: Decimal) -> Usage:
        """`usage` less `units` included ones, taken from the dearest group first (then in order of the groups).

        So the customer always gets the most for what is included, and the order in which usage came is of
        no effect. Raises `UnpricedUsage` as `charge` does.
        """
        priced = self._priced(usage)
        left: dict[int, Decimal] = {}
        dearest_first = sorted(enumerate(priced), key=lambda item: (item[1][1].copy_negate(), _order(item[1][0].group)))
        for index, (part, _) in dearest_first:
            taken = min(units, part.quantity)
            left[index] = subtract(part.quantity, taken)
            units = subtract(units, taken)
        groups = tuple(GroupUsage(part.group, left[index]) for index, (part, _) in enumerate(priced))
        return Usage(total(left.values()), usage.events, groups)

    def _priced(self, usage: Usage) -> list[tuple[GroupUsage, Decimal]]:
        """Every group that has a quantity, with its price."""
        table = CellTable(self.cells)
        priced: list[tuple[GroupUsage, Decimal]] = []
        errors: list[FieldError] = []
        for index, part in enumerate(usage.groups or (GroupUsage((), usage.quantity),)):
            price = self._price(table, dict(part.group))
            if not part.quantity:
                continue
            if price is None:
                pointer = f"/groups/{index}/group" if usage.groups else "/groups"
                errors.append(FieldError(pointer, UnpricedUsage.code, f"no cell prices {_text(part.group)}"))
            else:
                priced.append((part, price))
        if errors:
            raise UnpricedUsage(f"{errors[0].detail}, and there is no default", errors=errors[:20])
        return priced

    def _price(self, table: CellTable, group: Mapping[str, str | None]) -> Decimal | None:
        cell = table.find(group)
        return self.default_unit_amount if cell is None else cell.unit_amount


def _row(part: GroupUsage, unit_amount: Decimal) -> BreakdownRow:
    row = row_of(ZERO, part.quantity, unit_amount)
    return BreakdownRow(row.from_, row.to, row.quantity, row.unit_amount, row.flat_amount, row.amount, part.group)


def _order(group: Group) -> tuple[tuple[str, bool, str], ...]:
    return tuple((dimension, value is not None, value or "") for dimension, value in group)


def _text(group: Group) -> str:
    if not group:
        return "usage without dimensions"
    return ", ".join(f"{dimension} {value!a}" for dimension, value in group)[:300]
