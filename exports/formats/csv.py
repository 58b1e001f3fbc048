from __future__ import annotations

import csv
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from exports.cells import csv_cells
from exports.columns import Rows
from exports.formats.book import FileBook, Sink
from exports.tables import Table


class CsvBook(FileBook):
    suffix = "csv"

    @contextmanager
    def open(self, path: Path, table: Table) -> Iterator[Sink]:
        with path.open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow([column.name for column in table.columns])
            yield _CsvTable(writer, table)


class _CsvTable:
    def __init__(self, writer: Any, table: Table) -> None:
        self._writer = writer
        self._cells = [csv_cells(column.kind) for column in table.columns]

    def write(self, rows: Rows) -> None:
        cells = self._cells
        self._writer.writerows([cell(value) for cell, value in zip(cells, row, strict=True)] for row in rows)
