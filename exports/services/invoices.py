"""A month's invoices and their lines, written to a directory at once: what the command does."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from django.db import transaction

from accounts.facade import Organization
from exports.errors import FormatInvalid
from exports.files import directory_aside, synced
from exports.formats import FORMATS
from exports.services.writing import write_tables
from exports.tables import Selection
from kernel.period import Month
from rest.isolation import read_one_snapshot


@dataclass(frozen=True, slots=True)
class Exported:
    """The files an export wrote, and how much is in them."""

    paths: tuple[Path, ...]
    invoices: int
    lines: int


def export_invoices(*, organization: Organization, month: Month, format: str, directory: Path) -> Exported:
    """Write the month's invoices and lines to `directory`, over files of the same names.

    `xlsx` makes one workbook with a sheet for each and one of totals by currency, every other format two files. The
    same invoices give the same bytes. Raises `TooManyRows` where Excel's format ends.
    """
    if format not in FORMATS:
        raise FormatInvalid(f"{format!r} is none of {', '.join(FORMATS)}")
    selection = Selection(organization, month)
    with directory_aside(directory) as aside:
        with transaction.atomic():
            read_one_snapshot()
            invoices, lines = write_tables(
                selection=selection, kinds=("invoices", "lines"), format=format, directory=aside, name="invoices"
            )
        names = [path.name for path in synced(aside)]
        names.sort(key=lambda name: name.startswith("invoice-lines"))
        for name in names:
            (aside / name).replace(directory / name)
    return Exported(tuple(directory / name for name in names), invoices.rows, lines.rows)
