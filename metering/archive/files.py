"""Parquet files with events that have left the log: how they are written, checked and read.

Rows are in the order of organization, type, customer, time and identity, so that the statistics of row groups say
where a question's events are. Times are in UTC, `data` is JSON text, `xid` the transaction that wrote the event.
Files written before senders and subscriptions were kept have no such columns: they read as NULL.
"""

from __future__ import annotations

import hashlib
import io
import os
from collections.abc import Iterable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from django.conf import settings
from pyarrow import csv

from metering.archive.selection import Selection
from metering.contracts import ArchiveUnavailable

INSTANT = pa.timestamp("us", tz="UTC")
SCHEMA = pa.schema(
    [
        pa.field("identity", pa.string(), nullable=False),
        pa.field("organization_id", pa.int64(), nullable=False),
        pa.field("source", pa.string(), nullable=False),
        pa.field("event_id", pa.string(), nullable=False),
        pa.field("type", pa.string(), nullable=False),
        pa.field("subject", pa.string()),
        pa.field("time", INSTANT, nullable=False),
        pa.field("received_at", INSTANT, nullable=False),
        pa.field("data", pa.string(), nullable=False),
        pa.field("xid", pa.int64(), nullable=False),
        pa.field("sent_by", pa.string()),
        pa.field("subscription", pa.string()),
    ]
)
#: A row group has at most so many events, and not many more bytes: as much is in memory at a time.
GROUP_EVENTS, GROUP_BYTES = 65_536, 32 * 1024 * 1024

#: The longest that one event may become as CSV; its data has at most 64 KiB, and numbers are written out in full.
_BLOCK = 64 * 1024 * 1024

#: What conditions look at, but for the data's text.
_LOOKED_AT = ["organization_id", "type", "subject", "time", "xid"]
_DICTIONARIES = ["organization_id", "source", "type", "subject", "sent_by", "subscription"]
#: Columns that older files do not have.
_LATER = ["sent_by", "subscription"]


def directory() -> Path:
    return Path(settings.ARCHIVE_DIR)


def write(path: Path, rows: Iterable[bytes]) -> tuple[int, int, str]:
    """Write a file from rows of CSV, and put it on the disk; returns its events, row groups and content's digest."""
    events = groups = 0
    digest = hashlib.sha256()
    with pq.ParquetWriter(
        path, SCHEMA, compression="zstd", use_dictionary=_DICTIONARIES, write_page_checksum=True
    ) as writer:
        for table in _tables(rows):
            writer.write_table(table, row_group_size=len(table))
            events, groups = events + len(table), groups + 1
            digest.update(as_csv(table))
    with path.open("rb+") as file:
        os.fsync(file.fileno())
    return events, groups, digest.hexdigest()


def content_digest(path: Path) -> tuple[int, str]:
    """What `write` says of a file, found by reading all of it: how many events, and their digest."""
    events, digest = 0, hashlib.sha256()
    with pq.ParquetFile(path, page_checksum_verification=True) as file:
        for number in range(file.num_row_groups):
            table = file.read_row_group(number)
            events += len(table)
            digest.update(as_csv(table))
    return events, digest.hexdigest()


def file_digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def put(temporary: Path, path: Path) -> None:
    """Give a written file its name, for good."""
    os.replace(temporary, path)
    handle = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


# Files whose checksum this process has seen to be right, with their size and the time of their last change.
_checked: dict[tuple[str, str], tuple[int, int]] = {}


def checked(name: str, sha256: str) -> Path:
    """The path of a file that is what was written; raises `ArchiveUnavailable`.

    A file is read for this once in each process, and again when its size or time of change is another.
    """
    path = directory() / name
    try:
        state = path.stat()
        now = (state.st_size, state.st_mtime_ns)
        if _checked.get((name, sha256)) != now:
            if file_digest(path) != sha256:
                raise ArchiveUnavailable(f"The archive {name} is not what was written: its checksum is wrong")
            _checked[name, sha256] = now
    except OSError as error:
        raise ArchiveUnavailable(f"The archive {name} cannot be read: {error.strerror}") from None
    return path


def read(
    name: str, sha256: str, selection: Selection, *, columns: list[str] | None = None, first_group: int = 0
) -> Iterator[tuple[int, Any]]:
    """The selected events, a table of one row group after the other, with the row group's number.

    Of row groups without any, only what conditions look at is read. Raises `ArchiveUnavailable`.
    """
    path = checked(name, sha256)
    looked_at = [*_LOOKED_AT, *_also_looked_at(selection)]
    try:
        with pq.ParquetFile(path, page_checksum_verification=True) as file:
            for number in range(first_group, file.num_row_groups):
                if _may_have(file.metadata.row_group(number), selection):
                    mask = _mask(_complete(file.read_row_group(number, looked_at), looked_at), selection)
                    if pc.any(mask).as_py():
                        wanted = columns or SCHEMA.names
                        yield number, _complete(file.read_row_group(number, columns), wanted).filter(mask)
    except (OSError, pa.ArrowException) as error:
        raise ArchiveUnavailable(f"The archive {name} cannot be read: {error}") from None


def read_all(name: str, sha256: str) -> Iterator[Any]:
    """All events, a row group at a time."""
    path = checked(name, sha256)
    with pq.ParquetFile(path, page_checksum_verification=True) as file:
        for number in range(file.num_row_groups):
            yield _complete(file.read_row_group(number), SCHEMA.names)


def _complete(table: Any, columns: list[str]) -> Any:
    """The table of a file, with empty columns for those that are asked for and came after the file was written."""
    for name in _LATER:
        if name in columns and name not in table.column_names:
            table = table.append_column(SCHEMA.field(name), pa.nulls(len(table), pa.string()))
    return table


def _also_looked_at(selection: Selection) -> list[str]:
    asked = {"data": selection.texts, "sent_by": selection.sent_by, "received_at": selection.received}
    return [name for name, value in asked.items() if value]


class Foremost:
    """The values of a column that come first, newest or oldest, among the selected events of several files."""

    def __init__(self, column: str, count: int, *, newest: bool) -> None:
        self._column, self._count = column, count
        self._order = "descending" if newest else "ascending"
        self._values = pa.table({column: pa.array([], SCHEMA.field(column).type)})

    @property
    def last(self) -> Any:
        """The last of the first `count` values; None while they are fewer."""
        if len(self._values) < self._count:
            return None
        end = pc.min_max(self._values[self._column])
        return end["min" if self._order == "descending" else "max"].as_py()

    def add(self, name: str, sha256: str, selection: Selection) -> None:
        for _, table in read(name, sha256, selection, columns=[self._column]):
            values = pa.concat_tables([self._values, table.cast(self._values.schema)])
            keep = pc.select_k_unstable(values, self._count, [(self._column, self._order)])
            self._values = values.take(keep)


def as_csv(table: Any) -> bytes:
    """The rows as PostgreSQL's COPY takes them: text in quotes, and nothing at all for NULL."""
    sink = io.BytesIO()
    csv.write_csv(table, sink, csv.WriteOptions(include_header=False))
    return sink.getvalue()


def of_transaction_zero(table: Any) -> Any:
    """The same events, as written before any transaction."""
    place = SCHEMA.get_field_index("xid")
    return table.set_column(place, SCHEMA.field(place), pc.multiply(table["xid"], 0))


def _tables(rows: Iterable[bytes]) -> Iterator[Any]:
    """Row groups from rows of CSV as COPY gives them, times as microseconds since 1970."""
    types = {field.name: pa.int64() if field.type == INSTANT else field.type for field in SCHEMA}
    reading = csv.ReadOptions(column_names=SCHEMA.names, use_threads=False, block_size=_BLOCK)
    parsing = csv.ParseOptions(newlines_in_values=True)
    converting = csv.ConvertOptions(
        column_types=types, null_values=[""], strings_can_be_null=True, quoted_strings_can_be_null=False
    )
    for piece in _pieces(rows):
        yield csv.read_csv(io.BytesIO(piece), reading, parsing, converting).cast(SCHEMA)


def _pieces(rows: Iterable[bytes]) -> Iterator[bytes]:
    held: list[bytes] = []
    size = 0
    for row in rows:
        held.append(bytes(row))
        size += len(row)
        if len(held) == GROUP_EVENTS or size >= GROUP_BYTES:
            yield b"".join(held)
            held, size = [], 0
    if held:
        yield b"".join(held)


def _may_have(group: Any, selection: Selection) -> bool:
    """Whether a row group's statistics leave it open that it has a selected event."""
    bounds: dict[str, list[tuple[Any, Any]] | None] = {
        "organization_id": [(selection.organization_id, selection.organization_id)],
        "type": None if selection.types is None else [(one, one) for one in selection.types],
        "subject": None if selection.customers is None else [(one, one) for one in selection.customers],
        "time": None if selection.periods is None else [(period.start, period.end) for period in selection.periods],
        "sent_by": None if selection.sent_by is None else [(selection.sent_by, selection.sent_by)],
        "received_at": None if selection.received is None else [(selection.received.start, selection.received.end)],
        "xid": [(selection.first_xid, selection.last_xid), *((xid, xid) for xid in selection.transactions)],
    }
    for place in range(group.num_columns):
        wanted, found = bounds.get(group.column(place).path_in_schema), group.column(place).statistics
        if wanted is None or found is None or not found.has_min_max:
            continue
        if not any(low <= found.max and high >= found.min for low, high in wanted):
            return False
    return True


def _mask(table: Any, selection: Selection) -> Any:
    mask = pc.equal(table["organization_id"], selection.organization_id)
    for name, values in (("type", selection.types), ("subject", selection.customers)):
        if values is not None:
            mask = pc.and_(mask, pc.is_in(table[name], pa.array(values, pa.string())))
    if selection.periods is not None:
        times = pa.chunked_array([pa.array([False] * len(table))])
        for period in selection.periods:
            within = pc.and_(
                pc.greater_equal(table["time"], _scalar(period.start)), pc.less(table["time"], _scalar(period.end))
            )
            times = pc.or_(times, within)
        mask = pc.and_(mask, times)
    xid = table["xid"]
    seen = pc.and_(pc.greater_equal(xid, selection.first_xid), pc.less_equal(xid, selection.last_xid))
    if selection.transactions:
        seen = pc.or_(seen, pc.is_in(xid, pa.array(selection.transactions, pa.int64())))
    mask = pc.and_(mask, seen)
    if selection.sent_by is not None:
        mask = pc.and_(mask, pc.fill_null(pc.equal(table["sent_by"], selection.sent_by), False))
    if selection.received is not None:
        start, end = _scalar(selection.received.start), _scalar(selection.received.end)
        within = pc.and_(pc.greater_equal(table["received_at"], start), pc.less(table["received_at"], end))
        mask = pc.and_(mask, within)
    for text in selection.texts:
        mask = pc.and_(mask, pc.match_substring(table["data"], text))
    return mask


def _scalar(instant: datetime) -> Any:
    return pa.scalar(instant, INSTANT)
