"""Characters that no font prints, named on pages before a document is issued, and where a month was closed."""

from __future__ import annotations

from billing.facade import change_seller_profile, close_month, create_plan, invoices_of, runs_of
from kernel.clock import system_clock
from tests.console.conftest import CLOSING, OCTOBER, Vendor
from tests.console.test_invoices import text


def test_pages_and_the_closed_month_name_what_no_font_prints(empty: Vendor) -> None:
    vendor = empty
    prices = [{"key": "base", "name": "Basis 🧱", "kind": "fixed", "model": {"type": "flat", "amount": "1"}}]
    plan = create_plan(organization=vendor.organization, key="bricks", name="Bricks", currency="USD", prices=prices)
    acme = vendor.customer("acme", plan, name="Acme 🚀", address={"line1": "1 தம Street", "country": "US"})
    plain = vendor.customer("plain", name="Ümläut & Söhne")
    change = {"legal_name": "Vendor 🙏", "now": system_clock(), "actor": "ops@example.com"}
    change_seller_profile(organization_id=vendor.organization.pk, **change)
    close_month(organization=vendor.organization, month=OCTOBER, now=CLOSING)
    run = runs_of(vendor.organization.pk).get(month=str(OCTOBER))
    [invoice] = invoices_of(vendor.organization.pk).filter(month=str(OCTOBER))
    assert run.status == "succeeded", "it keeps no invoice back"
    assert [(one["customer"], one["code"]) for one in run.problems] == [("", "unprintable"), ("acme", "unprintable")]

    def page(path: str) -> str:
        return text(vendor.client.get(path).content)

    assert "No font prints 🙏 : documents show □ instead." in page("/seller")
    assert "No font prints 🚀 த ம 🧱 : documents show □ instead." in page(f"/customers/{acme.pk}")
    assert "No font prints" not in page(f"/customers/{plain.pk}")
    assert "No font prints 🚀 த ம 🧱 : documents show □ instead. This document stays" in page(f"/invoices/{invoice.pk}")
    runs = page("/runs")
    assert "2 not printable in full Business details: No font prints 🙏: documents show □ instead." in runs
    assert "acme : No font prints 🚀 த ம 🧱: documents show □ instead." in runs
    assert "not invoiced" not in runs
