"""Exported invoices tie to the stored ones to the cent, and nothing in them acts on a spreadsheet program."""

from __future__ import annotations

import csv
import io
import os
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import pytest
from django.core.management import CommandError, call_command
from openpyxl import load_workbook

from accounts.facade import Organization
from agents.facade import set_up_organization
from billing.facade import close_month, create_customer, create_plan, invoices_of, pay_invoice, subscribe, void_invoice
from exports.cells import csv_cell
from exports.columns import columns
from exports.facade import export_invoices
from exports.formats.sheets import Sheet
from exports.formats.xlsx import new_workbook, save_workbook
from kernel.period import Month

OCTOBER = Month(2026, 10)
START = datetime(2026, 10, 1, tzinfo=UTC)
NOW = datetime(2026, 11, 2, 9, 30, tzinfo=UTC)
FORMULA = '=HYPERLINK("http://evil.example","Pay")'

pytestmark = pytest.mark.django_db


@pytest.fixture
def organization() -> Organization:
    """Three customers with a base fee: 49.00 and 19 % of 0.105 in dollars, 1,000 in yen, 12.345 in dinars."""
    organization = set_up_organization(name="Vendor")
    fees = {
        "usd": ("USD", FORMULA, "49.00", "0.19"),
        "usd-2": ("USD", "+49 30 1234", "0.105", "0.19"),
        "yen": ("JPY", "@sum", "1000", "0"),
        "dinar": ("BHD", "Plain & <b>", "12.345", "0"),
    }
    for key, (currency, name, amount, tax_rate) in fees.items():
        customer = create_customer(
            organization=organization, key=key, name=name, currency=currency, tax_rate=Decimal(tax_rate)
        )
        price = {"key": "base", "name": "-2+3", "kind": "fixed", "model": {"type": "flat", "amount": amount}}
        plan = create_plan(organization=organization, key=key, currency=currency, prices=[price])
        subscribe(customer=customer, plan=plan, starts_at=START)
    close_month(organization=organization, month=OCTOBER, now=NOW)
    return organization


def exported(organization: Organization, directory: Path, format: str) -> list[Path]:
    return list(export_invoices(organization=organization, month=OCTOBER, format=format, directory=directory).paths)


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def sheets_of(path: Path) -> dict[str, list[dict[str, Any]]]:
    book = load_workbook(path)
    found = {}
    for sheet in book:
        header, *rows = sheet.iter_rows(values_only=True)
        found[sheet.title] = [dict(zip(header, row, strict=True)) for row in rows]
    return found


def test_csv_has_every_invoice_and_line_with_its_currency_s_digits(organization: Organization, tmp_path: Path) -> None:
    invoices, lines = (rows_of(path) for path in exported(organization, tmp_path, "csv"))
    by_customer = {row["customer"]: row for row in invoices}
    # 0.105 rounds to 0.11; its tax of 19 % is 0.0209, 0.02.
    assert {key: (row["subtotal"], row["tax"], row["total"]) for key, row in by_customer.items()} == {
        "usd": ("49.00", "9.31", "58.31"),
        "usd-2": ("0.11", "0.02", "0.13"),
        "yen": ("1000", "0", "1000"),
        "dinar": ("12.345", "0.000", "12.345"),
    }
    assert by_customer["usd"]["period_start"] == "2026-10-01T00:00:00Z"
    assert by_customer["usd"]["finalized_at"] == "2026-11-02T09:30:00Z"
    numbers = {row["number"]: row for row in invoices}
    for number, row in numbers.items():
        own = [line for line in lines if line["invoice"] == number]
        assert sum(Decimal(line["amount"]) for line in own) == Decimal(row["subtotal"])
        assert sum(Decimal(line["tax"]) for line in own) == Decimal(row["tax"])
    stored = {one.number: one.total for one in invoices_of(organization.pk)}
    assert {number: Decimal(row["total"]) for number, row in numbers.items()} == stored


def test_text_that_looks_like_a_formula_is_made_harmless_in_csv(organization: Organization, tmp_path: Path) -> None:
    invoices, lines = (rows_of(path) for path in exported(organization, tmp_path, "csv"))
    names = {row["customer"]: row["customer_name"] for row in invoices}
    assert names == {"usd": f"'{FORMULA}", "usd-2": "'+49 30 1234", "yen": "'@sum", "dinar": "Plain & <b>"}
    assert {line["description"] for line in lines} == {"'-2+3"}


@pytest.mark.parametrize("text", ["=1", "+1", "-1", "@a", " =1", '"=1', "\N{FULLWIDTH EQUALS SIGN}1"])
def test_every_start_of_a_formula_is_known(text: str) -> None:
    assert csv_cell(text, "text") == f"'{text}"


@pytest.mark.parametrize("text", ["\tx", "\rx", "\nx", "\r\nx"])
def test_line_breaks_and_tabs_become_spaces_in_csv(text: str) -> None:
    assert csv_cell(text, "text") == " x"


def test_amounts_below_zero_stay_numbers_in_csv() -> None:
    assert csv_cell(Decimal("-5.00"), "money") == "-5.00"
    assert csv_cell(Decimal("1E-12"), "price") == "0.000000000001"


def test_xlsx_has_typed_cells_and_totals_by_currency(organization: Organization, tmp_path: Path) -> None:
    (path,) = exported(organization, tmp_path, "xlsx")
    sheets = sheets_of(path)
    assert list(sheets) == ["Invoices", "Lines", "Totals"]
    usd = next(row for row in sheets["Invoices"] if row["customer"] == "usd")
    assert (usd["customer_name"], usd["total"]) == (FORMULA, 58.31)
    assert usd["finalized_at (UTC)"] == datetime(2026, 11, 2, 9, 30)  # noqa: DTZ001 - Excel knows no zones
    totals = [row for row in sheets["Totals"] if row["sheet"] == "Invoices"]
    assert [(row["currency"], row["rows"], row["total"], row["ledger"]) for row in totals] == [
        ("BHD", 1, 12.345, 12.345),
        ("JPY", 1, 1000, 1000),
        ("USD", 2, 58.44, 58.44),
    ]
    sheet = load_workbook(path)["Invoices"]
    columns = {cell.value: cell.column for cell in sheet[1]}
    of = {sheet.cell(row, columns["customer"]).value: row for row in range(2, 6)}
    name = sheet.cell(of["usd"], columns["customer_name"])
    assert (name.data_type, name.quotePrefix) == ("s", True)
    formats = {key: sheet.cell(row, columns["total"]).number_format for key, row in of.items()}
    assert formats == {"usd": "#,##0.00", "usd-2": "#,##0.00", "yen": "#,##0", "dinar": "#,##0.000"}


def test_no_formula_gets_into_a_workbook(organization: Organization, tmp_path: Path) -> None:
    (path,) = exported(organization, tmp_path, "xlsx")
    with ZipFile(path) as archive:
        assert not [name for name in archive.namelist() if "sheet" in name and b"<f>" in archive.read(name)]


def test_an_amount_of_many_digits_is_written_whole(tmp_path: Path) -> None:
    book = new_workbook()
    amount = Decimal("12345678901234567890.12")
    Sheet(book, "Totals", columns("currency", "total:money")).append(("USD", amount))
    save_workbook(book, tmp_path / "x.xlsx")
    with ZipFile(tmp_path / "x.xlsx") as archive:
        assert archive.read("xl/worksheets/sheet1.xml").count(b"<v>12345678901234567890.12</v>") == 1


def test_void_invoices_are_listed_and_not_counted(organization: Organization, tmp_path: Path) -> None:
    first, second = invoices_of(organization.pk).filter(currency="USD").order_by("total")
    void_invoice(invoice=first, now=NOW)
    pay_invoice(invoice=second, now=NOW)
    (path,) = exported(organization, tmp_path, "xlsx")
    sheets = sheets_of(path)
    assert sorted(row["status"] for row in sheets["Invoices"]) == ["finalized", "finalized", "paid", "void"]
    usd = next(row for row in sheets["Totals"] if row["currency"] == "USD")
    assert (usd["rows"], usd["total"], usd["amount_due"]) == (1, 58.31, 0)


@pytest.mark.parametrize("format", ["csv", "xlsx", "parquet", "json"])
def test_the_same_invoices_give_the_same_bytes(organization: Organization, tmp_path: Path, format: str) -> None:
    first = exported(organization, tmp_path / "a", format)
    second = exported(organization, tmp_path / "b", format)
    assert [path.read_bytes() for path in first] == [path.read_bytes() for path in second]


def test_an_export_that_fails_leaves_the_old_files(
    organization: Organization, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (path,) = exported(organization, tmp_path, "xlsx")
    before = path.read_bytes()
    monkeypatch.setattr("exports.formats.sheets.MAX_ROWS", 2)  # a million invoices would take too long
    with pytest.raises(CommandError, match="export it as csv"):
        call_command("export_invoices", month=OCTOBER, format="xlsx", out=tmp_path, organization="vendor")
    assert path.read_bytes() == before
    assert os.listdir(tmp_path) == [path.name]


def test_queries_do_not_grow_with_the_invoices(
    organization: Organization, tmp_path: Path, django_assert_max_num_queries: Any
) -> None:
    with django_assert_max_num_queries(6):
        exported(organization, tmp_path, "csv")


def test_the_command_writes_each_organization_s_files_and_prints_their_paths(
    organization: Organization, tmp_path: Path
) -> None:
    set_up_organization(name="Another")
    out, err = io.StringIO(), io.StringIO()
    target = tmp_path / "new" / "directory"
    call_command(
        "export_invoices", "--month", "2026-10", "--format", "csv", "--out", str(target), stdout=out, stderr=err
    )
    names = [
        "invoices-another-2026-10.csv",
        "invoice-lines-another-2026-10.csv",
        "invoices-vendor-2026-10.csv",
        "invoice-lines-vendor-2026-10.csv",
    ]
    assert out.getvalue().splitlines() == [str(target / name) for name in names]
    assert err.getvalue().strip() == "another has no invoices for 2026-10: its files hold headers alone"
    assert (target / names[0]).read_text().startswith("number,id,status,customer,")
    assert rows_of(target / names[0]) == []


def test_an_empty_month_makes_a_workbook_with_headers(organization: Organization, tmp_path: Path) -> None:
    call_command(
        "export_invoices", "--month", "2025-01", "--format", "xlsx", "--out", str(tmp_path), "--organization", "vendor",
        stdout=io.StringIO(), stderr=io.StringIO(),
    )  # fmt: skip
    assert sheets_of(tmp_path / "invoices-vendor-2025-01.xlsx") == {"Invoices": [], "Lines": [], "Totals": []}


@pytest.mark.parametrize(
    "changes", [{"--month": "2026-13"}, {"--format": "pdf"}, {"--organization": "who"}, {"--out": "/dev/null/x"}]
)
def test_what_cannot_be_exported_is_said(organization: Organization, tmp_path: Path, changes: dict[str, str]) -> None:
    options = {"--month": "2026-10", "--format": "csv", "--out": str(tmp_path), "--organization": "vendor"} | changes
    with pytest.raises(CommandError):
        call_command("export_invoices", *[part for pair in options.items() for part in pair])
