"""Rows of a CSV, JSON lines or Parquet file, each brought into the log as one usage event."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec

from accounts.facade import Organization
from agents.importers.customers import customer_named, is_customer_key, warnings_about
from agents.importers.mapping import RowMapping, row_event, row_hash
from agents.importers.occurrences import Occurrences
from agents.importers.report import ImportReport, LineBroken, LineProblem, OnProblem, OnProgress
from agents.importers.tables import Table, open_table
from agents.importers.writing import Sink, write_events
from kernel.clock import Clock, system_clock
from kernel.errors import InvalidError
from metering.facade import CloudEvent

SOURCE = "import/rows"

_CHUNK = 1_000
_MAX_CUSTOMERS = 10_000
_CONFLICT = "this row was imported before as another event (other --time, --timezone or --data), or its id is taken"


class ColumnMissing(InvalidError):
    """The file has no column of a name that the mapping needs."""

    code = "column_missing"


def import_events(
    path: str | Path,
    *,
    organization: Organization,
    type: str,
    time: str,
    data: Mapping[str, str],
    customer: str | None = None,
    customer_column: str | None = None,
    id_column: str | None = None,
    source: str = SOURCE,
    format: str | None = None,
    timezone: str = "UTC",
    strict: bool = False,
    on_progress: OnProgress | None = None,
    on_problem: OnProblem | None = None,
    clock: Clock = system_clock,
) -> ImportReport:
    """Bring each row of the file at `path` into the log as an event of `type` at the time in column `time`.

    `data` maps names in the event's data to columns. The customer is `customer`, or stands in
    `customer_column`. An event's id is the value of `id_column`, or else a hash of the row, its customer, the
    type and how many equal rows stand before it: equal rows of one file are events of their own, and the same
    file again adds nothing. Memory grows by 8 bytes a row.

    Raises `FileUnreadable`, `ColumnMissing`, and `InvalidError` for arguments that fit no file.
    """
    path = Path(path)
    if (customer is None) == (customer_column is None):
        raise InvalidError("Give either customer or customer_column")
    warnings: list[str] = []
    if customer is not None:
        customer, warnings = customer_named(organization, customer)
    _check_text("type", type, 255)
    _check_text("source", source, 1024)
    mapping: dict[str, Any] = {
        "type": type, "source": source, "time": time, "data": dict(data), "customer": customer,
        "customer_column": customer_column, "id_column": id_column, "zone": _zone(timezone),
    }  # fmt: skip
    customers: set[str] = set()

    def read(sink: Sink) -> None:
        with open_table(path, format) as table:
            whole = RowMapping(**mapping, numbers_as_text=table.is_text)
            _check_columns(path, table, whole)
            _Reading(whole, sink, customers).read(table)

    report = write_events(
        read,
        organization_id=organization.pk,
        strict=strict,
        clock=clock,
        conflict=_CONFLICT,
        on_progress=on_progress,
        on_problem=on_problem,
    )
    report.warnings = warnings + (warnings_about(organization, customers) if customer_column else [])
    return report


class _Reading:
    """One pass over a table, in chunks small enough to hold."""

    def __init__(self, mapping: RowMapping, sink: Sink, customers: set[str]) -> None:
        self._mapping, self._sink, self._customers = mapping, sink, customers
        self._occurrences = Occurrences()
        self._chunk: list[tuple[int, CloudEvent, bytes]] = []

    def read(self, table: Table) -> None:
        for row in table:
            self._sink.report.lines += 1
            try:
                if row.values is None:
                    raise LineBroken(row.problem)
                event = row_event(self._mapping, row.values)
                hashed = b"" if self._mapping.id_column else row_hash(event, row.values)
            except LineBroken as error:
                self._sink.reject(LineProblem(row.line, error.code, error.detail))
                continue
            if event.subject and is_customer_key(event.subject) and len(self._customers) < _MAX_CUSTOMERS:
                self._customers.add(event.subject)
            self._chunk.append((row.line, event, hashed))
            if len(self._chunk) >= _CHUNK:
                self._pass_on(table)
        self._pass_on(table)

    def _pass_on(self, table: Table) -> None:
        chunk, self._chunk = self._chunk, []
        if self._mapping.id_column or not chunk:
            for line, event, _ in chunk:
                self._sink.add(line, [event])
        else:
            numbers = self._occurrences.number([hashed for _, _, hashed in chunk])
            for (line, event, hashed), number in zip(chunk, numbers, strict=True):
                self._sink.add(line, [msgspec.structs.replace(event, id=_event_id(hashed, number))])
        self._sink.advance(table)


def _event_id(hashed: bytes, number: int) -> str:
    return "row-" + hashlib.sha256(hashed + number.to_bytes(8)).hexdigest()[:40]


def _check_columns(path: Path, table: Table, mapping: RowMapping) -> None:
    if table.columns is None:
        return
    for name in mapping.columns:
        if name not in table.columns and name.split(".")[0] not in table.columns:
            raise ColumnMissing(f"{path} has no column {name!r}; it has: {', '.join(table.columns)}")


def _check_text(what: str, text: str, longest: int) -> None:
    if not 0 < len(text) <= longest or "\x00" in text:
        raise InvalidError(f"{what} has 1 to {longest} characters")


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise InvalidError(f"There is no time zone {name!r}", code="timezone_unknown") from None
