from __future__ import annotations

from decimal import Decimal

import pytest

from billing.facade import pay_invoice
from billing.services.credit_notes import issue_credit_note
from tests.api import Api
from tests.billing.books import at, fee, open_books

pytestmark = pytest.mark.django_db


def test_a_year_in_advance_from_its_invoice_to_the_last_cent_earned(api: Api) -> None:
    books = open_books(api, tax_rate=Decimal("0.19"))
    books.subscribe(fee("licence", "1200"), starts="2026-01-01", interval="year")
    books.advance("2026-01-02")
    [invoice] = books.invoices()
    # 1200 net and 19% of it: 228
    assert books.balances() == {"receivable": "1428.00", "deferred_revenue": "-1200.00", "tax_payable": "-228.00"}

    assert pay_invoice(invoice=invoice, now=at("2026-01-10"), amount=Decimal(428)).amount_due == 1000
    assert pay_invoice(invoice=invoice, now=at("2026-01-20")).status == "paid"
    assert books.balances() == {"cash": "1428.00", "deferred_revenue": "-1200.00", "tax_payable": "-228.00"}

    books.advance("2026-04-01")
    # By days of 365: 31, 59 and 90 of them come to 101.92, 193.97 and 295.89
    assert books.recognize() == 3
    assert books.balances()["revenue"] == "-295.89"
    assert books.recognize() == 0

    note = issue_credit_note(
        invoice=invoice, now=at("2026-04-01"), lines={books.again(invoice).lines.get().pk: Decimal(300)}
    )
    assert (note.number, note.total, note.credited) == ("CN-000001", Decimal("357.00"), Decimal("357.00"))
    assert books.balances() == {
        "cash": "1428.00",
        "customer_credits": "-357.00",
        "deferred_revenue": "-604.11",  # 1200 - 295.89 - 300
        "revenue": "-295.89",
        "tax_payable": "-171.00",
    }
    books.advance("2026-05-01")
    # 120 of 365 days: 394.52, so 98.63 more; less 30 of the 275 days left of the 300 taken back, 32.73
    assert books.recognize() == 1
    assert books.balances()["revenue"] == "-361.79"
    books.advance("2027-01-01")
    books.recognize("2026-12")
    assert (books.balances()["revenue"], books.balances()["customer_credits"]) == ("-900.00", "-357.00")
