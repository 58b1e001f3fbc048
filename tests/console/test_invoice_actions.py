"""Forms on invoices: what they do, to whom they are open, what is said at which field, and that twice is once."""

from __future__ import annotations

from decimal import Decimal

import pytest

from accounts.models import AuditEntry
from billing.facade import credit_notes_of, payments_of
from tests.console.conftest import Vendor
from tests.console.test_invoices import line_of, text


def token(page: bytes) -> str:
    return page.decode().split('name="form_token" value="')[1].split('"')[0]


def test_part_of_an_invoice_is_paid_and_the_rest_stays_due(vendor: Vendor) -> None:
    invoice = vendor.invoice_of("birch")  # $50.87
    sent = {"amount": "20.80", "paid_on": "2026-11-03", "method": "cheque", "reference": "no. 7"}
    page = vendor.client.post(f"/invoices/{invoice.pk}/pay", sent, follow=True)
    assert "$30.07 of INV-" in text(page.content)
    [payment] = payments_of(vendor.organization.pk)
    assert (payment.amount, payment.method, payment.reference) == (Decimal("20.80"), "cheque", "no. 7")
    assert f"{payment.paid_at:%Y-%m-%d}" == "2026-11-03"
    assert "cheque no. 7 $20.80" in text(page.content)


@pytest.mark.parametrize(
    ("sent", "said"),
    [
        ({"amount": "60"}, "50.87"),
        ({"amount": "-1"}, "An amount is more than nothing"),
        ({"amount": "0.001"}, "USD has 2 decimals"),
        ({"amount": "NaN"}, "Write a number"),
        ({"amount": "1e999999"}, "Write a number"),
        ({"amount": "<script>"}, "Write a number"),
        ({"paid_on": "2999-01-01"}, "once it was made"),
        ({"paid_on": "soon"}, "valid date"),
        ({"reference": "a\x00b"}, "Null characters"),
    ],
)
def test_what_is_wrong_with_a_payment_is_said_and_nothing_is_paid(
    vendor: Vendor, sent: dict[str, str], said: str
) -> None:
    page = vendor.client.post(f"/invoices/{vendor.invoice_of('birch').pk}/pay", sent)
    assert page.status_code == 422
    assert said in text(page.content)
    assert not payments_of(vendor.organization.pk).exists()


def test_a_form_sent_twice_is_done_once(vendor: Vendor) -> None:
    address = f"/invoices/{vendor.invoice_of('birch').pk}/pay"
    sent = {"amount": "10", "form_token": token(vendor.client.get(address).content)}
    first = vendor.client.post(address, sent)
    again = vendor.client.post(address, sent, follow=True)
    assert first.status_code == 302
    assert "it was done once" in text(again.content)
    assert payments_of(vendor.organization.pk).count() == 1
    vendor.client.post(address, {"amount": "10", "form_token": token(vendor.client.get(address).content)})
    assert payments_of(vendor.organization.pk).count() == 2


def test_a_payment_is_given_back_and_is_due_again(vendor: Vendor) -> None:
    invoice = vendor.invoice_of("birch")
    vendor.client.post(f"/invoices/{invoice.pk}/pay")
    payment = payments_of(vendor.organization.pk).get()
    page = vendor.client.post(f"/invoices/{invoice.pk}/payments/{payment.pk}/refund", {"amount": "0.87"}, follow=True)
    assert "$0.87 is noted as given back" in text(page.content)
    invoice.refresh_from_db()
    assert (invoice.status, invoice.amount_due) == ("finalized", Decimal("0.87"))
    other = vendor.invoice_of("acme")
    assert vendor.client.get(f"/invoices/{other.pk}/payments/{payment.pk}/refund").status_code == 404


def test_a_credit_note_says_before_it_is_issued_where_its_money_goes(vendor: Vendor) -> None:
    invoice, line = vendor.invoice_of("birch"), line_of(vendor, "birch", "base")  # $49 of $50.87
    vendor.client.post(f"/invoices/{invoice.pk}/pay", {"amount": "40"})  # $10.87 is due
    address = f"/invoices/{invoice.pk}/credit"
    sent = {"what": "lines", "refund": "credit_balance", f"line-{line.pk}": "15", "reason": "outage"}
    shown = vendor.client.post(address, sent | {"preview": "1"})
    assert "$10.87 less is due" in text(shown.content)
    assert "$4.13 becomes credit of Birch" in text(shown.content)
    assert not credit_notes_of(vendor.organization.pk).exists()
    page = vendor.client.post(address, sent | {"form_token": token(shown.content)}, follow=True)
    assert "Credit note CN-000001 over $15.00 is issued" in text(page.content)
    note = credit_notes_of(vendor.organization.pk).get()
    assert (note.applied, note.credited, note.reason) == (Decimal("10.87"), Decimal("4.13"), "outage")
    assert "outage" in text(vendor.client.get(f"/credit-notes/{note.pk}").content)
    assert "CN-000001" in text(vendor.client.get("/credit-notes").content)


def test_more_than_a_line_is_not_taken_back(vendor: Vendor) -> None:
    invoice, line = vendor.invoice_of("birch"), line_of(vendor, "birch", "base")
    address = f"/invoices/{invoice.pk}/credit"
    page = vendor.client.post(address, {"what": "lines", "refund": "credit_balance", f"line-{line.pk}": "49.01"})
    assert page.status_code == 422
    page = vendor.client.post(address, {"what": "lines", "refund": "credit_balance"})
    assert "Say how much of which line" in text(page.content)
    assert not credit_notes_of(vendor.organization.pk).exists()


def test_what_is_given_up_on_is_written_off_and_may_still_be_paid(vendor: Vendor) -> None:
    invoice = vendor.invoice_of("birch")
    vendor.client.post(f"/invoices/{invoice.pk}/write-off")
    invoice.refresh_from_db()
    assert invoice.status == "uncollectible"
    assert AuditEntry.objects.filter(action="invoice.write_off", target=invoice.pk).exists()
    vendor.client.post(f"/invoices/{invoice.pk}/pay")
    invoice.refresh_from_db()
    assert invoice.status == "paid"


ACTIONS = ["pay", "void", "write-off", "finalize", "credit", "review"]


@pytest.mark.parametrize("role", ["viewer", "developer"])
def test_those_without_a_role_for_money_are_refused_each_form(vendor: Vendor, role: str) -> None:
    member, invoice = vendor.member(role), vendor.invoice_of("birch")
    for action in ACTIONS:
        assert member.get(f"/invoices/{invoice.pk}/{action}").status_code == 403, action
    page = text(member.get(f"/invoices/{invoice.pk}").content)
    assert "Note a payment" not in page


def test_the_books_of_an_invoice_stand_on_its_page(vendor: Vendor) -> None:
    page = text(vendor.client.get(f"/invoices/{vendor.invoice_of('birch').pk}").content)
    assert "In the ledger" in page
    assert "Receivable $50.87" in page


def test_the_list_is_searched_and_bounded(vendor: Vendor) -> None:
    found = text(vendor.client.get("/invoices?q=BIRCH&least=50&most=51").content)
    assert "Birch" in found
    assert "Acme" not in found
    assert "No invoice fits" in text(vendor.client.get("/invoices?q=birch&least=51").content)
    assert "overdue" in text(vendor.client.get("/invoices?status=overdue").content)
    assert vendor.client.get("/invoices?least=lots").status_code == 422
