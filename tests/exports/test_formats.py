"""Every kind in every format: the same bytes twice, opened again by what people open them with, tied to the ledger."""

from __future__ import annotations

import json
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import pandas as pd
import pyarrow.parquet as pq
import pytest
from openpyxl import load_workbook

from agents.facade import advance_task_summaries
from billing.facade import Customer
from exports.cells import is_formula_like
from exports.columns import columns
from exports.formats import FORMATS
from exports.formats.sheets import Sheet
from exports.formats.xlsx import new_workbook, save_workbook
from exports.kinds import KINDS
from exports.services.writing import write_tables
from exports.tables import Selection, Table
from exports.totals import Totals
from kernel.period import Month
from kernel.text import refused_character
from tests.api import Api
from tests.exports.agents_vendor import busy_october
from tests.exports.vendor import FORMULA, OCTOBER, closed_october

pytestmark = pytest.mark.django_db

#: Text of others, which CSV must not let act.
_DANGEROUS = ("=", "@", "\t", "\r", "\n")


def written(api: Api, kind: str, format: str, directory: Path) -> list[Totals]:
    """The kind's October; the ledger's November, in which October was booked."""
    directory.mkdir()
    month = Month(2026, 11) if kind == "ledger" else OCTOBER
    return write_tables(
        selection=Selection(api.organization, month), kinds=[kind], format=format, directory=directory, name=kind
    )


def contents(directory: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(directory.iterdir())}


def opened(directory: Path, format: str, table: Table) -> list[dict[str, Any]]:
    """A table's rows as pandas, pyarrow, openpyxl or a JSON parser reads them."""
    if format == "xlsx":
        [path] = directory.glob("*.xlsx")
        header, *rows = load_workbook(path)[table.title].iter_rows(values_only=True)
        names = [str(name).removesuffix(" (UTC)") for name in header]
        return [dict(zip(names, row, strict=True)) for row in rows]
    [path] = directory.glob(f"{table.name}-*.{format}")
    if format == "csv":
        return pd.read_csv(path, dtype=str, keep_default_na=False).to_dict("records")
    if format == "parquet":
        return pq.read_table(path).to_pylist()
    found: list[dict[str, Any]] = json.loads(path.read_bytes())
    return found


def amount(value: Any) -> Decimal:
    return Decimal(str(value)) if value not in {None, ""} else Decimal(0)


@pytest.mark.django_db(transaction=True)  # what costs are read from is made of what is committed
@pytest.mark.parametrize("format", FORMATS)
def test_every_kind_is_the_same_twice_and_comes_to_what_the_ledger_says(api: Api, tmp_path: Path, format: str) -> None:
    busy_october(api)
    advance_task_summaries()
    for kind in KINDS:
        first = written(api, kind, format, tmp_path / f"{kind}-1")
        written(api, kind, format, tmp_path / f"{kind}-2")
        assert contents(tmp_path / f"{kind}-1") == contents(tmp_path / f"{kind}-2"), kind
        for totals in first:
            rows = opened(tmp_path / f"{kind}-1", format, totals.table)
            assert len(rows) == totals.rows > 0, totals.table.name
            assert list(rows[0]) == [column.name for column in totals.table.columns]
            _tied(totals, rows)


def _tied(totals: Totals, rows: list[dict[str, Any]]) -> None:
    """What was read back sums to what the ledger says, by currency."""
    table = totals.table
    counted = [row for row in rows if not any(row[name] in values for name, values in table.uncounted.items())]
    for currency, booked in totals.ledger.items():
        own = [row for row in counted if row[table.currency] == currency]
        found = sum((sign * amount(row[name]) for row in own for name, sign in table.tied.items()), Decimal(0))
        assert found.quantize(Decimal("0.0001")) == booked, (table.name, currency)


def test_workbooks_have_typed_cells(api: Api, tmp_path: Path) -> None:
    busy_october(api)
    expected = {"count": int, "money": (int, float), "number": (int, float), "price": (int, float)}
    expected |= {"time": datetime, "day": datetime, "text": str, "json": str}
    for kind in KINDS:
        for totals in written(api, kind, "xlsx", tmp_path / kind):
            for row in opened(tmp_path / kind, "xlsx", totals.table):
                for column in totals.table.columns:
                    value = row[column.name]
                    assert value is None or isinstance(value, expected[column.kind]), (kind, column, value)


@pytest.mark.parametrize("kind", ["invoices", "lines", "ledger", "focus"])
def test_names_that_look_like_formulas_act_in_no_kind(api: Api, tmp_path: Path, kind: str) -> None:
    closed_october(api)
    api.organization.name = FORMULA
    api.organization.save()
    for totals in written(api, kind, "csv", tmp_path / "csv"):
        text = [column.name for column in totals.table.columns if column.kind in {"text", "json"}]
        for row in opened(tmp_path / "csv", "csv", totals.table):
            assert not [name for name in text if is_formula_like(row[name])]
            assert not [value for value in row.values() if value.startswith(_DANGEROUS)]
    written(api, kind, "xlsx", tmp_path / "xlsx")
    [path] = (tmp_path / "xlsx").iterdir()
    with ZipFile(path) as archive:
        sheets = [archive.read(name) for name in archive.namelist() if "worksheets/sheet" in name]
    assert not [sheet for sheet in sheets if b"<f>" in sheet or b"<f " in sheet]


def test_text_of_every_sort_comes_back_from_a_workbook(tmp_path: Path) -> None:
    texts = [
        "<b>&amp;</b>",
        "a\r\nb",
        " spaces ",
        "\N{GRINNING FACE} 漢字 עברית",
        'say "hi"',
        "=1+1",
        "]]>",
        "x\x00y\x1f",
    ]
    book = new_workbook()
    Sheet(book, "Text", columns("text")).write([(text,) for text in texts])
    save_workbook(book, tmp_path / "x.xlsx")
    _, *rows = load_workbook(tmp_path / "x.xlsx")["Text"].iter_rows(values_only=True)
    assert [text for (text,) in rows] == [*texts[:-1], "x\N{REPLACEMENT CHARACTER}y\N{REPLACEMENT CHARACTER}"]


BROKEN = "Acme\r=1+1,0;=1+1\x1b\x85\u2028\u202e"


@pytest.mark.parametrize("kind", ["invoices", "lines", "ledger", "focus"])
@pytest.mark.parametrize("format", FORMATS)
def test_control_characters_of_old_names_break_no_file(api: Api, tmp_path: Path, kind: str, format: str) -> None:
    closed_october(api)
    Customer.objects.update(name=BROKEN)
    api.organization.name = BROKEN
    api.organization.save()
    found: list[str] = []
    for totals in written(api, kind, format, tmp_path / "files"):
        rows = opened(tmp_path / "files", format, totals.table)
        assert len(rows) == totals.rows > 0
        texts = [column.name for column in totals.table.columns if column.kind in {"text", "json"}]
        found += [str(row[name] or "") for row in rows for name in texts]
    assert not [text for text in found if refused_character(text)]
    assert any("Acme" in text for text in found) or kind in {"ledger", "lines"}  # which name customers by their keys
    if format == "csv":
        # Programs end a row at a carriage return that is not quoted.
        assert not [path for path in (tmp_path / "files").iterdir() if b"\r" in path.read_bytes()]
        assert not [text for text in found if ";=" in text or is_formula_like(text)]
