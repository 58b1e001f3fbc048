from __future__ import annotations

import re
from decimal import Decimal

import pytest

from billing.facade import issue_credit_note, pay_invoice
from tests.console.conftest import CLOSING, Vendor

pytestmark = pytest.mark.django_db


def text(content: bytes) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", content.decode()))


def test_the_trial_balance_and_the_transactions_of_a_month(vendor: Vendor) -> None:
    pay_invoice(invoice=vendor.invoice_of("birch"), now=CLOSING)
    page = text(vendor.client.get("/ledger?month=2026-11").content)
    # 0.15 for acme and 50.87 for birch, who has paid
    assert "Receivable $0.00 $51.02 $50.87 $0.15" in page
    assert "Cash $0.00 $50.87 $0.00 $50.87" in page
    number = vendor.invoice_of("birch").number
    assert f"Payment {number} Birch" in page
    december = text(vendor.client.get("/ledger?month=2026-12").content)
    assert "Receivable $0.15 $0.00 $0.00 $0.15" in december
    assert "Nothing was posted in Dec 2026" in december


def test_an_account_leads_to_the_transactions_that_touch_it(vendor: Vendor) -> None:
    pay_invoice(invoice=vendor.invoice_of("birch"), now=CLOSING)
    page = vendor.client.get("/ledger?month=2026-11").content.decode()
    assert 'href="?month=2026-11&amp;account=cash#transactions"' in page
    of_cash = text(vendor.client.get("/ledger?month=2026-11&account=cash").content).partition("Transactions")[2]
    assert "Payment" in of_cash
    assert "Revenue" not in of_cash
    assert "Nothing was posted in Nov 2026 to Tax" in text(
        vendor.client.get("/ledger?month=2026-11&account=tax").content
    )


def test_a_month_that_is_none_is_refused(vendor: Vendor) -> None:
    assert vendor.client.get("/ledger?month=13").status_code == 422


def test_an_invoice_shows_what_was_paid_and_corrected(vendor: Vendor) -> None:
    invoice = vendor.invoice_of("birch")
    address = f"/invoices/{invoice.pk}"
    assert "Void INV" in text(vendor.client.get(address).content)
    pay_invoice(invoice=invoice, now=CLOSING, amount=Decimal("0.87"), method="wire", reference="T-7")
    issue_credit_note(invoice=invoice, now=CLOSING, reason="A slow week")
    page = text(vendor.client.get(address).content)
    assert "Payment, wire T-7 $0.87" in page
    assert "Credit note CN-000001 A slow week $50.87" in page
    assert "Void INV" not in page
