"""One JSON array, with an object on each line: whole documents and lines of it can both be read."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import msgspec

from exports.cells import plain
from exports.columns import Rows
from exports.formats.book import FileBook, Sink
from exports.tables import Table
from kernel.text import readable


class JsonBook(FileBook):
    suffix = "json"

    @contextmanager
    def open(self, path: Path, table: Table) -> Iterator[Sink]:
        with path.open("wb") as file:
            sink = _JsonTable(file, table)
            yield sink
            file.write(b"\n]\n" if sink.begun else b"[]\n")


class _JsonTable:
    def __init__(self, file: BinaryIO, table: Table) -> None:
        self._file, self.begun = file, False
        self._names = [(column.name, column.kind == "json") for column in table.columns]
        self._encode = msgspec.json.Encoder().encode

    def write(self, rows: Rows) -> None:
        for row in rows:
            values = {
                name: msgspec.Raw(readable(value).encode()) if is_json and value else plain(value)
                for (name, is_json), value in zip(self._names, row, strict=True)
            }
            self._file.write((b",\n" if self.begun else b"[\n") + self._encode(values))
            self.begun = True
