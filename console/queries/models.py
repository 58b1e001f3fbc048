"""Calls of models in tables: by model, by hardware and by region."""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass
from decimal import Decimal

from django.urls import reverse

from agents.facade import WorkRow
from console.formats import percent
from console.queries.calls import KINDS, ZERO
from console.queries.figure_charts import NOT_NAMED
from console.queries.figures import Figures
from kernel.spreadsheets import csv_text

_QUANTITIES = ("input_tokens", "cached_input_tokens", "cache_write_tokens", "output_tokens", "compute_seconds")


@dataclass(frozen=True, slots=True)
class CallsRow:
    """What calls of one model (hardware, region) used; `cost` is in the currency shown."""

    name: str
    link: str
    row: WorkRow
    cost: Decimal
    share: str

    @property
    def cost_per_task(self) -> Decimal | None:
        return self.cost / self.row.tasks if self.row.tasks else None


@dataclass(frozen=True, slots=True)
class CallsTable:
    by: str
    rows: tuple[CallsRow, ...]


def calls_tables(figures: Figures) -> list[CallsTable]:
    """The dearest first. No query beside that for the kinds of calls."""
    return [CallsTable(by, tuple(_rows(figures, by))) for by in KINDS]


def _rows(figures: Figures, by: str) -> list[CallsRow]:
    currency, selection = figures.cost_currency, figures.selection
    found = [
        CallsRow(
            name or NOT_NAMED,
            f"{reverse('console:models')}?{selection.query(**{by: name})}" if name else "",
            row,
            row.costs.amounts.get(currency, ZERO),
            percent(row.costs.amounts.get(currency, ZERO), figures.cost),
        )
        for name, row in figures.calls.by(by).items()
    ]
    return sorted(found, key=lambda one: (-one.cost, -one.row.calls, one.name))


def calls_csv(figures: Figures) -> str:
    """A row for each model, hardware and region, and for each currency of its cost."""
    file = io.StringIO()
    writer = csv.writer(file)
    writer.writerow([*KINDS, "tasks", "calls", *_QUANTITIES, "currency", "cost", "unpriced_calls"])
    for row in sorted(figures.calls.kinds, key=lambda one: tuple(one.group.values())):
        names = [csv_text(row.group[name]) for name in KINDS]
        used = [row.tasks, row.calls, *(format(row.quantities[name], "f") for name in _QUANTITIES)]
        for i, (currency, amount) in enumerate(sorted(row.costs.amounts.items()) or [("", None)]):
            # Numbers stand in the first row of each, so that columns add up.
            numbers = used if i == 0 else [0] * len(used)
            cost = "" if amount is None else format(amount, "f")
            writer.writerow([*names, *numbers, csv_text(currency), cost, 0 if i else row.costs.unpriced_calls])
    return file.getvalue()
