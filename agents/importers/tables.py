"""Rows of CSV, JSON lines and Parquet files, one at a time, each with its line and broken ones among them."""

from __future__ import annotations

import csv
from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any, Protocol, cast

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq

from agents.importers.files import LineFile, data_suffix, open_lines
from agents.importers.report import FileUnreadable

FORMATS = ("csv", "jsonl", "parquet")
_SUFFIXES = {".csv": "csv", ".jsonl": "jsonl", ".ndjson": "jsonl", ".parquet": "parquet", ".pq": "parquet"}

#: A quoted field may go on over this many lines; past that the quote is taken for a mistake on its first line.
_MAX_RECORD_LINES = 1_000
_PARQUET_ROWS = 5_000

_json = msgspec.json.Decoder(float_hook=Decimal)


@dataclass(frozen=True, slots=True)
class Row:
    """One row: values by column, or why there are none. CSV's values are text, and None where a cell is empty."""

    line: int
    values: Mapping[str, Any] | None
    problem: str = ""


class Table(Protocol):
    """An open file of rows. `columns` is None where each row has its own; `is_text` where it has text alone."""

    columns: tuple[str, ...] | None
    is_text: bool

    @property
    def position(self) -> int: ...

    @property
    def size(self) -> int: ...

    def __iter__(self) -> Iterator[Row]: ...


@contextmanager
def open_table(path: Path, kind: str | None = None) -> Iterator[Table]:
    """The rows of the file at `path`; `kind` is one of `FORMATS`, or as the name's ending says.

    Raises `FileUnreadable`.
    """
    kind = kind or _SUFFIXES.get(data_suffix(path))
    if kind not in FORMATS:
        raise FileUnreadable(f"{path}: say with --format which of {', '.join(FORMATS)} this is")
    if kind == "parquet":
        yield ParquetTable(path)
        return
    with open_lines(path) as lines:
        yield cast(Table, CsvTable(lines, path) if kind == "csv" else JsonTable(lines))


class _LineTable:
    is_text = False

    def __init__(self, lines: LineFile) -> None:
        self._lines = lines

    @property
    def position(self) -> int:
        return self._lines.position

    @property
    def size(self) -> int:
        return self._lines.size


class JsonTable(_LineTable):
    """JSON lines: an object a line. Numbers with a point come as decimals, digit by digit."""

    columns = None

    def __iter__(self) -> Iterator[Row]:
        for number, line in self._lines:
            if line is None:
                yield Row(number, None, "the line is too long")
            elif line.strip():
                yield self._row(number, line)

    @staticmethod
    def _row(number: int, line: bytes) -> Row:
        try:
            value = _json.decode(line.removeprefix(b"\xef\xbb\xbf"))
        except (msgspec.MsgspecError, ValueError, RecursionError, ArithmeticError) as error:
            return Row(number, None, f"not valid JSON: {error}")
        return Row(number, value) if isinstance(value, dict) else Row(number, None, "not a JSON object")


class _Unclosed(Exception):
    """A quoted field does not end on its line."""


class CsvTable(_LineTable):
    """CSV with a header row, commas and double quotes (RFC 4180), in UTF-8.

    Lines are read one by one, so that a quote nobody closes costs its own line and not the rest of the file.
    """

    columns: tuple[str, ...]
    is_text = True

    def __init__(self, lines: LineFile, path: Path) -> None:
        super().__init__(lines)
        self._source = iter(lines)
        self._back: deque[tuple[int, bytes | None]] = deque()
        first = next((line for _, line in self._source if line is None or line.strip()), None)
        try:
            header = _fields((first or b"").removeprefix(b"\xef\xbb\xbf"))
        except (csv.Error, UnicodeDecodeError, _Unclosed) as error:
            raise FileUnreadable(f"{path} has no readable header row: {error}") from None
        self.columns = tuple(name.strip() for name in header)
        if not first or len(set(self.columns)) != len(self.columns):
            raise FileUnreadable(f"{path} needs a header row that names each column once")

    def __iter__(self) -> Iterator[Row]:
        while (taken := self._take()) is not None:
            number, line = taken
            if line is None:
                yield Row(number, None, "the line is too long")
            elif line.strip():
                yield self._row(number, line)

    def _row(self, number: int, line: bytes) -> Row:
        try:
            try:
                cells = _fields(line)
            except _Unclosed:
                cells = self._longer(line)
            if len(cells) != len(self.columns):
                return Row(number, None, f"{len(cells)} fields where the header has {len(self.columns)}")
        except UnicodeDecodeError:
            return Row(number, None, "not in UTF-8")
        except csv.Error as error:
            return Row(number, None, f"not valid CSV: {error}")
        except _Unclosed:
            return Row(number, None, "a quote that is never closed")
        return Row(number, {name: cell or None for name, cell in zip(self.columns, cells, strict=True)})

    def _longer(self, line: bytes) -> list[str]:
        """The fields of a record that goes on over following lines; those go back where it does not end well."""
        taken: list[tuple[int, bytes | None]] = []
        try:
            while len(taken) < _MAX_RECORD_LINES and (following := self._take()) is not None:
                taken.append(following)
                if following[1] is None:
                    break
                line += b"\n" + following[1]
                if b'"' in following[1]:
                    try:
                        cells = _fields(line)
                    except _Unclosed:
                        continue
                    if len(cells) != len(self.columns):
                        break
                    return cells
        except (csv.Error, UnicodeDecodeError):
            pass
        self._back.extendleft(reversed(taken))
        raise _Unclosed

    def _take(self) -> tuple[int, bytes | None] | None:
        return self._back.popleft() if self._back else next(self._source, None)


def _fields(line: bytes) -> list[str]:
    try:
        return next(csv.reader((line.decode(),), strict=True), [])
    except csv.Error as error:
        if "unexpected end of data" in str(error):
            raise _Unclosed from None
        raise


class ParquetTable:
    """A Parquet file, read in batches of rows. Times finer than a microsecond are cut to one."""

    is_text = False

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            self._file = pq.ParquetFile(path)
        except (OSError, pa.ArrowException) as error:
            raise FileUnreadable(f"{path} cannot be read as Parquet: {error}") from None
        self.columns: tuple[str, ...] | None = tuple(self._file.schema_arrow.names)
        self.size = int(self._file.metadata.num_rows)
        self.position = 0

    def __iter__(self) -> Iterator[Row]:
        try:
            for batch in self._file.iter_batches(batch_size=_PARQUET_ROWS):
                for values in _in_microseconds(batch).to_pylist():
                    self.position += 1
                    yield Row(self.position, values)
        except (OSError, pa.ArrowException, ValueError) as error:
            raise FileUnreadable(f"{self._path} cannot be read on after row {self.position}: {error}") from None


def _in_microseconds(batch: pa.RecordBatch) -> pa.RecordBatch:
    columns = [
        column.cast(pa.timestamp("us", tz=column.type.tz), safe=False)
        if pa.types.is_timestamp(column.type) and column.type.unit == "ns"
        else column
        for column in batch.columns
    ]
    return pa.RecordBatch.from_arrays(columns, names=batch.schema.names)
