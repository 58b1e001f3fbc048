"""The shape of every export: kinds are made of tables, and tables of columns and the rows that fill them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from itertools import islice
from typing import Any

from django.db.models import QuerySet

from accounts.facade import Organization
from exports.columns import Column, Rounding, Row, Rows
from kernel.period import Month

#: Rows held in memory at once.
BATCH = 2_000


@dataclass(frozen=True, slots=True)
class Selection:
    """What an export is about. `customer` is a key, `status` that of invoices."""

    organization: Organization
    month: Month
    customer: str | None = None
    status: str | None = None


@dataclass(frozen=True, slots=True)
class Table:
    """One table of an export: a file of its own, or a sheet. `rows` yields batches of rows in a stable order.

    Totals are by the column `currency`; where `uncounted` names a column, rows with one of its values are listed and
    not counted. `ledger` gives what the books say by currency (None: they say nothing about this selection), and `tied`
    which totals, with their signs, come to that.
    """

    name: str
    title: str
    columns: tuple[Column, ...]
    rows: Callable[[Selection], Iterator[Rows]]
    expected: Callable[[Selection], int] | None = None
    currency: str = "currency"
    uncounted: Mapping[str, frozenset[str]] = field(default_factory=dict)
    ledger: Callable[[Selection], dict[str, Decimal] | None] | None = None
    tied: Mapping[str, int] = field(default_factory=dict)
    #: Names are a standard's, and stay as they are in every format.
    exact_names: bool = False


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of export. `by_status` says whether a status of invoices selects anything in it."""

    name: str
    tables: tuple[Table, ...]
    by_status: bool = False


def batches(rows: Iterator[Row], size: int = BATCH) -> Iterator[Rows]:
    """`rows`, `size` at a time."""
    while some := list(islice(rows, size)):
        yield some


def read(found: QuerySet[Any], declared: tuple[Column, ...]) -> Iterator[Rows]:
    """The rows of a query by a cursor on the server, each column from its source, money rounded to its currency."""
    rounding = Rounding(declared)
    plain = found.prefetch_related(None).select_related(None)
    rows = plain.values_list(*(column.source for column in declared)).iterator(chunk_size=BATCH)
    for some in batches(rows):
        yield [rounding.row(row) for row in some]
