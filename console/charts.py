"""Charts as values: what is drawn, what stands in the table beside it, and what goes into its CSV file."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from console import formats
from kernel.spreadsheets import csv_text

ZERO = Decimal(0)
OTHER = "Other"

#: How many parts of a bar have a colour of their own, and how many bars a breakdown draws.
_MOST_SERIES = 5
_MOST_BARS = 8
#: How many rows of a breakdown a page brings along; its CSV has all.
MOST_ROWS = 40


@dataclass(frozen=True, slots=True)
class Series:
    """One colour of a chart: a value for each label."""

    name: str
    values: tuple[Decimal, ...]


@dataclass(frozen=True, slots=True)
class Chart:
    """A figure. `currency` is None where values are quantities of `unit`.

    `links` lead from the labels, one for each or none at all, to their pages. A horizontal chart draws its
    first rows, and its table has all but the smallest of very many; its CSV has all.
    """

    key: str
    title: str
    heading: str
    labels: tuple[str, ...]
    series: tuple[Series, ...]
    unit: str = ""
    currency: str | None = None
    horizontal: bool = False
    stacked: bool = False
    note: str = ""
    links: tuple[str | None, ...] = ()

    @property
    def is_empty(self) -> bool:
        return not any(value for series in self.series for value in series.values)

    @property
    def drawn(self) -> dict[str, object]:
        """What the page's script draws, as JSON; numbers are decimal text."""
        series, labels = self.series, self.labels
        if self.stacked:
            series = top_series(series)
        if self.horizontal:
            labels = labels[:_MOST_BARS]
        return {
            "labels": list(labels),
            "series": [
                {"name": one.name, "values": [format(value, "f") for value in one.values[: len(labels)]]}
                for one in series
            ],
            "horizontal": self.horizontal,
            "stacked": self.stacked,
            "prefix": formats.sign_of(self.currency) if self.currency else "",
            "currency": self.currency,
            "unit": self.unit,
        }

    @property
    def not_drawn(self) -> int:
        return max(0, len(self.labels) - _MOST_BARS) if self.horizontal else 0

    @property
    def rows(self) -> list[tuple[str, str | None, list[str]]]:
        """The table: label, link, and the written values. Of a long breakdown the first rows, and the rest summed."""
        shown = len(self.labels) - self.not_listed
        rows = [
            (label, self.links[i] if self.links else None, [self.written(series.values[i]) for series in self.series])
            for i, label in enumerate(self.labels[:shown])
        ]
        if self.not_listed:
            rest = [self.written(sum(series.values[shown:], ZERO)) for series in self.series]
            rows.append((f"{self.not_listed:,} others", None, rest))
        return rows

    @property
    def not_listed(self) -> int:
        """How many rows the table sums up in one, since the page would be long with them."""
        return max(0, len(self.labels) - MOST_ROWS) if self.horizontal else 0

    @property
    def summary(self) -> str:
        """What a screen reader hears in place of the drawing."""
        sums = ", ".join(f"{one.name}: {self.written(sum(one.values, ZERO))}" for one in self.series[:_MOST_SERIES])
        return f"{self.title}. {len(self.labels)} values. {sums or 'Nothing to show'}. The table below has them all."

    def written(self, value: Decimal) -> str:
        return formats.small_money(value, self.currency) if self.currency else formats.rounded(value)

    def to_csv(self) -> str:
        """The whole table with exact values. Text that a spreadsheet would run as a formula is quoted with a '."""
        file = io.StringIO()
        writer = csv.writer(file)
        unit = self.currency or self.unit
        writer.writerow(
            [csv_text(self.heading), *(csv_text(f"{one.name} ({unit})" if unit else one.name) for one in self.series)]
        )
        for i, label in enumerate(self.labels):
            writer.writerow([csv_text(label), *(format(one.values[i], "f") for one in self.series)])
        return file.getvalue()


def top_series(series: Sequence[Series]) -> tuple[Series, ...]:
    """The largest series, and the rest of them as one."""
    if len(series) <= _MOST_SERIES + 1:
        return tuple(series)
    ranked = sorted(series, key=lambda one: -sum(one.values, ZERO))
    rest = [sum(values, ZERO) for values in zip(*(one.values for one in ranked[_MOST_SERIES:]), strict=True)]
    return (*ranked[:_MOST_SERIES], Series(OTHER, tuple(rest)))
