"""An export from its form to the workbook that was downloaded, in a browser."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

from openpyxl import load_workbook

from tests.browser.axe import assert_accessible
from tests.browser.conftest import BrowserAs
from tests.browser.site import Site
from tests.console.conftest import hybrid_plan, make_vendor, turns


def test_a_workbook_is_made_and_downloaded_and_has_what_was_invoiced(
    site: Site, browser_as: BrowserAs, tmp_path: Path
) -> None:
    vendor = make_vendor("Exports in a browser")
    vendor.customer("acme", hybrid_plan(vendor.organization), name="=1+1")
    vendor.record(turns("acme", 3, start=datetime(2026, 10, 5, 9, tzinfo=UTC)))
    [invoice] = vendor.close_october()
    page = browser_as(vendor.user)
    page.goto("/exports")
    assert_accessible(page)
    page.get_by_role("link", name="New export").click()
    page.get_by_label("Month").fill("2026-10")
    assert_accessible(page)
    page.get_by_role("button", name="Start it").click()
    page.get_by_text("queued").or_(page.get_by_text("running")).or_(page.get_by_text("succeeded")).first.wait_for()
    page.reload()  # what is known of it is in the database, not in this page
    with page.expect_download() as downloading:
        page.get_by_role("link", name="Download").click()
    downloading.value.save_as(tmp_path / "book.xlsx")
    assert_accessible(page)
    book = load_workbook(tmp_path / "book.xlsx")
    assert book.sheetnames == ["Invoices", "Lines", "Totals"]
    header, row = book["Invoices"].iter_rows(values_only=True)
    found = dict(zip(header, row, strict=True))
    assert (found["number"], found["customer_name"]) == (invoice.number, "=1+1")
    assert Decimal(str(found["total"])) == invoice.total
    page.goto("/exports")
    assert page.get_by_role("link", name="Download invoices, lines of Oct 2026 as xlsx").is_visible()
