"""A month's invoices as CSV or Excel files."""

from __future__ import annotations

import re
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

import pandas as pd

from accounts.facade import Organization
from billing.exports.cells import csv_cell
from billing.exports.files import written_together
from billing.exports.frames import INVOICES, LINES, TOTALS, Column, month_frames, totals_frame
from billing.exports.workbook import MAX_ROWS, Sheet, new_workbook, save_workbook
from kernel.errors import TooLargeError
from kernel.period import Month

FORMATS = ("csv", "xlsx")


class TooManyRows(TooLargeError):
    code = "too_many_rows"


@dataclass(frozen=True, slots=True)
class Exported:
    """The files an export wrote, and how much is in them."""

    paths: tuple[Path, ...]
    invoices: int
    lines: int


def export_invoices(*, organization: Organization, month: Month, format: str, directory: Path) -> Exported:
    """Write the month's invoices to `directory`, over files of the same names.

    `csv` makes two files, invoices and lines; `xlsx` one with a sheet for each and one of totals by
    currency. The same invoices give the same bytes. Raises `TooManyRows` where Excel's format ends.
    """
    if format not in FORMATS:
        raise ValueError(f"{format!r} is none of {FORMATS}")
    directory.mkdir(parents=True, exist_ok=True)
    name = f"{_file_name(organization)}-{month}"
    if format == "csv":
        paths = (directory / f"invoices-{name}.csv", directory / f"invoice-lines-{name}.csv")
    else:
        paths = (directory / f"invoices-{name}.xlsx",)
    with written_together(paths) as temporary:
        write = _write_csv if format == "csv" else _write_xlsx
        invoices, lines = write(organization.pk, month, temporary)
    return Exported(paths, invoices, lines)


def _file_name(organization: Organization) -> str:
    return organization.key if re.fullmatch(r"[A-Za-z0-9_-]+", organization.key) else organization.public_id


def _write_csv(organization_id: int, month: Month, paths: Sequence[Path]) -> tuple[int, int]:
    counts = [0, 0]
    with ExitStack() as stack:
        files = [stack.enter_context(path.open("w", encoding="utf-8", newline="")) for path in paths]
        for file, columns in zip(files, (INVOICES, LINES), strict=True):
            pd.DataFrame(columns=[column.name for column in columns]).to_csv(file, index=False)
        for frames in month_frames(organization_id, month):
            for place, columns in enumerate((INVOICES, LINES)):
                _append_csv(files[place], frames[place], columns)
                counts[place] += len(frames[place])
    return counts[0], counts[1]


def _append_csv(file: TextIO, frame: pd.DataFrame, columns: Sequence[Column]) -> None:
    cells = {column.name: [csv_cell(value, column.kind) for value in frame[column.name]] for column in columns}
    pd.DataFrame(cells, dtype=object).to_csv(file, index=False, header=False, lineterminator="\n")


def _write_xlsx(organization_id: int, month: Month, paths: Sequence[Path]) -> tuple[int, int]:
    workbook = new_workbook()
    sheets = Sheet(workbook, "Invoices", INVOICES), Sheet(workbook, "Lines", LINES)
    totals: list[pd.DataFrame] = []
    for frames in month_frames(organization_id, month):
        for sheet, frame in zip(sheets, frames, strict=True):
            if sheet.rows + len(frame) > MAX_ROWS:
                raise TooManyRows(f"A sheet has at most {MAX_ROWS:,} rows, and {month} needs more: export it as csv")
            for row in frame.itertuples(index=False, name=None):
                sheet.append(row)
        totals.append(frames[0][["status", *(column.name for column in TOTALS if column.name in frames[0])]])
    of_totals = Sheet(workbook, "Totals", TOTALS)
    for row in totals_frame(totals).itertuples(index=False, name=None):
        of_totals.append(row)
    save_workbook(workbook, paths[0])
    return sheets[0].rows - 1, sheets[1].rows - 1
