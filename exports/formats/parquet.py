"""Parquet, with decimals of 38 digits: no float, and what does not fit is refused rather than rounded."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from decimal import ROUND_HALF_EVEN, Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from exports.columns import Rows
from exports.errors import ValueDoesNotFit
from exports.formats.book import FileBook, Sink
from exports.tables import Table
from kernel.money import EXACT
from kernel.text import readable

#: Rows of a row group: what is held in memory before it is written.
_GROUP = 20_000

#: Decimal places: four are the most that a currency has; prices have 12; a quantity may be finer.
_PLACES = {"money": 4, "price": 18, "number": 18}

_TYPES: dict[str, pa.DataType] = {
    "text": pa.string(),
    "json": pa.string(),
    "count": pa.int64(),
    "time": pa.timestamp("us", tz="UTC"),
    "day": pa.date32(),
    **{kind: pa.decimal128(38, places) for kind, places in _PLACES.items()},
}


class ParquetBook(FileBook):
    suffix = "parquet"

    @contextmanager
    def open(self, path: Path, table: Table) -> Iterator[Sink]:
        schema = pa.schema([(column.name, _TYPES[column.kind]) for column in table.columns])
        with pq.ParquetWriter(path, schema, compression="zstd") as writer:
            sink = _ParquetTable(writer, schema, table)
            yield sink
            sink.flush()


class _ParquetTable:
    def __init__(self, writer: Any, schema: pa.Schema, table: Table) -> None:
        self._writer, self._schema, self._rows = writer, schema, Rows()
        self._texts = [place for place, column in enumerate(table.columns) if column.kind in {"text", "json"}]
        self._fine = [place for place, column in enumerate(table.columns) if column.kind in {"number", "price"}]

    def write(self, rows: Rows) -> None:
        self._rows += rows
        if len(self._rows) >= _GROUP:
            self.flush()

    def flush(self) -> None:
        if not self._rows:
            return
        values = [list(column) for column in zip(*self._rows, strict=True)]
        for place in self._texts:
            values[place] = [readable(value) if isinstance(value, str) else value for value in values[place]]
        for place in self._fine:
            values[place] = [_to_places(value) for value in values[place]]
        try:
            arrays = [pa.array(column, type=field.type) for column, field in zip(values, self._schema, strict=True)]
        except pa.ArrowInvalid as error:
            raise ValueDoesNotFit(f"Parquet has decimals of 38 digits: {error}") from None
        self._writer.write_batch(pa.RecordBatch.from_arrays(arrays, schema=self._schema))
        self._rows = []


_FINEST = Decimal(1).scaleb(-_PLACES["number"])


def _to_places(value: Decimal | None) -> Decimal | None:
    """Averages, margins and the like may have more digits than 18 behind the point; no amount and no price has."""
    if value is None or value.as_tuple().exponent >= -_PLACES["number"]:  # type: ignore[operator]
        return value
    return value.quantize(_FINEST, rounding=ROUND_HALF_EVEN, context=EXACT)
