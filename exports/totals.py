"""What the tables of an export come to, and whether the ledger says the same."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from exports.columns import Column, Row, Rows, columns
from exports.errors import TotalsDiffer
from exports.tables import Selection, Table
from kernel.money import EXACT, round_to_currency

_ZERO = Decimal(0)


class Totals:
    """What one table comes to: rows, and by currency the rows that count and the sum of each column of money."""

    def __init__(self, table: Table) -> None:
        self.table, self.rows = table, 0
        self.counted: dict[str, int] = {}
        self.sums: dict[str, dict[str, Decimal]] = {}
        self.ledger: dict[str, Decimal] = {}
        names = [column.name for column in self.table.columns]
        self._money = [
            (place, column.name) for place, column in enumerate(self.table.columns) if column.kind == "money"
        ]
        self._names = [name for _, name in self._money]
        self._currency = names.index(self.table.currency) if self._money else 0
        self._uncounted = [(names.index(name), values) for name, values in self.table.uncounted.items()]

    def add(self, rows: Rows) -> None:
        self.rows += len(rows)
        if not self._money:
            return
        for row in rows:
            if any(row[place] in values for place, values in self._uncounted):
                continue
            currency = row[self._currency]
            self.counted[currency] = self.counted.get(currency, 0) + 1
            sums = self.sums.get(currency)
            if sums is None:
                sums = self.sums[currency] = dict.fromkeys(self._names, round_to_currency(_ZERO, currency))
            for place, name in self._money:
                if row[place]:
                    sums[name] = EXACT.add(sums[name], row[place])

    def tie(self, selection: Selection) -> None:
        """Compare with the ledger. Raises `TotalsDiffer`."""
        if self.table.ledger is None:
            return
        found = self.table.ledger(selection)
        if found is None:
            return
        self.ledger = {one: round_to_currency(found.get(one, _ZERO), one) for one in sorted({*found, *self.sums})}
        for currency, booked in self.ledger.items():
            written = self._tied(currency)
            if booked != written:
                raise TotalsDiffer(f"{self.table.title} come to {written} {currency}, and the ledger says {booked}")

    def _tied(self, currency: str) -> Decimal:
        result = round_to_currency(_ZERO, currency)
        for name, sign in self.table.tied.items():
            result = EXACT.add(result, sign * self.sums.get(currency, {}).get(name, _ZERO))
        return result

    def to_json(self) -> dict[str, Any]:
        """As the manifest shows it; decimals are text."""
        found: dict[str, Any] = {
            currency: {
                "rows": self.counted[currency],
                **{name: format(amount, "f") for name, amount in sums.items()},
                **({"ledger": format(self.ledger[currency], "f")} if currency in self.ledger else {}),
            }
            for currency, sums in sorted(self.sums.items())
        }
        return {"table": self.table.name, "rows": self.rows, "totals": found}


def totals_rows(found: Sequence[Totals]) -> tuple[tuple[Column, ...], Rows]:
    """The sheet of totals: a row for each table and currency."""
    names = list(dict.fromkeys(c.name for one in found for c in one.table.columns if c.kind == "money"))
    if not names:
        return (), []
    declared = columns("sheet", "currency", "rows:count", *(f"{name}:money" for name in names), "ledger:money")
    rows: list[Row] = [
        (one.table.title, currency, one.counted[currency], *(sums.get(n) for n in names), one.ledger.get(currency))
        for one in found
        for currency, sums in sorted(one.sums.items())
    ]
    return declared, rows
