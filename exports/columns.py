"""What stands in a column of an export, and how its values are typed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from kernel.money import round_to_currency

#: `text`; `count`, a whole number; `number` and `price`, decimals of any scale; `money`, a decimal with the digits of
#: the row's currency; `time`, an instant; `day`, a date in UTC; `json`, an object as text.
KINDS = ("text", "count", "number", "price", "money", "time", "day", "json")

Row = tuple[Any, ...]
Rows = list[Row]


@dataclass(frozen=True, slots=True)
class Column:
    """A column's name, its kind (of `KINDS`), and the query's expression that fills it, where one does."""

    name: str
    kind: str = "text"
    source: str = ""


def columns(*specs: str) -> tuple[Column, ...]:
    """Columns from `name[:kind][=source]`; the source is the name where nothing else is said."""
    made = []
    for spec in specs:
        declared, _, source = spec.partition("=")
        name, _, kind = declared.partition(":")
        assert not kind or kind in KINDS, spec
        made.append(Column(name, kind or "text", source or name))
    return tuple(made)


class Rounding:
    """Gives each row's money the digits of its currency, which stands in the column `currency`."""

    def __init__(self, declared: Sequence[Column], currency: str = "currency") -> None:
        names = [column.name for column in declared]
        self._money = [place for place, column in enumerate(declared) if column.kind == "money"]
        self._currency = names.index(currency) if self._money else 0

    def row(self, values: Sequence[Any]) -> Row:
        found = list(values)
        for place in self._money:
            amount: Decimal | None = found[place]
            if amount is not None:
                found[place] = round_to_currency(amount, found[self._currency])
        return tuple(found)
