from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from accounts.models import AuditEntry
from billing.credits.grants import grant_credit
from billing.models import Payment
from billing.payments.services import pay_invoice, refund_payment, void_invoice, write_off_invoice
from tests.api import Api
from tests.billing.books import Books, at, fee, open_books

pytestmark = pytest.mark.django_db


@pytest.fixture
def books(api: Api) -> Books:
    """January in arrears, 100.00 and 19% tax, due on 1 February."""
    books = open_books(api, tax_rate=Decimal("0.19"))
    books.subscribe(fee("base", "100", advance=False), starts="2026-01-01")
    books.advance("2026-02-01")
    return books


def path(books: Books, action: str = "") -> str:
    return f"invoices/{books.invoices()[0].pk}" + (f"/{action}" if action else "")


def state(answer: Any) -> tuple[str, str]:
    return answer["status"], answer["amount_due"]


def refusal(answer: Any) -> tuple[int, str]:
    return answer.status_code, answer.json()["code"]


def test_an_invoice_is_paid_in_parts(books: Books) -> None:
    api = books.api
    body = {"amount": "19", "method": "wire", "reference": "T-1", "paid_at": "2026-01-31T12:00:00Z"}
    assert state(api.post(path(books, "pay"), body).json()) == ("finalized", "100.00")
    assert books.balances() == {
        "cash": "19",
        "receivable": "100.00",
        "revenue": "-100.00",
        "tax_payable": "-19.00",
    }
    assert refusal(api.post(path(books, "pay"), {"amount": "100.01"})) == (422, "payment_exceeds_due")
    paid = api.post(path(books, "pay"), {}).json()
    assert (*state(paid), paid["paid_at"]) == ("paid", "0.00", "2026-02-01T00:00:00Z")
    assert api.post(path(books, "pay"), {}).json() == paid
    assert refusal(api.post(path(books, "pay"), {"amount": "1"})) == (422, "payment_exceeds_due")
    listed = api.get("payments", invoice=paid["id"]).json()["data"]
    assert [(one["amount"], one["method"], one["reference"]) for one in listed] == [
        ("19.00", "wire", "T-1"),
        ("100.00", "manual", ""),
    ]
    assert api.get(f"payments/{listed[0]['id']}").json() == listed[0]
    assert AuditEntry.objects.filter(action="invoice.pay").count() == 2


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"amount": "0"}, "amount_invalid"),
        ({"amount": "-1"}, "amount_invalid"),
        ({"amount": "1.005"}, "amount_invalid"),
        ({"paid_at": "2026-02-01T00:00:01Z"}, "paid_at_in_future"),
        ({"amount": "x"}, "invalid"),
        ({"total": "1"}, "invalid"),
    ],
)
def test_a_payment_that_makes_no_sense_is_refused(books: Books, body: dict[str, str], code: str) -> None:
    answer = books.api.post(path(books, "pay"), body)
    assert answer.status_code == 422
    assert code in {answer.json()["code"], "invalid"}
    assert not Payment.objects.exists()


def test_a_payment_sent_again_under_its_key_is_taken_once(books: Books) -> None:
    for _ in range(3):
        answer = books.api.post(path(books, "pay"), {"amount": "19"}, **{"idempotency-key": "k"})
        assert state(answer.json()) == ("finalized", "100.00")
    assert Payment.objects.count() == 1


def test_what_is_refunded_is_due_again(books: Books) -> None:
    api = books.api
    api.post(path(books, "pay"), {})
    [payment] = api.get("payments").json()["data"]
    first = api.post(f"payments/{payment['id']}/refund", {"amount": "20"})
    assert (first.status_code, first.json()["amount"], first.json()["refund_of"]) == (201, "-20.00", payment["id"])
    assert state(api.get(path(books)).json()) == ("finalized", "20.00")
    assert refusal(api.post(f"payments/{payment['id']}/refund", {"amount": "99.01"})) == (422, "refund_exceeds_payment")
    rest = api.post(f"payments/{payment['id']}/refund", {}).json()
    assert rest["amount"] == "-99.00"
    assert api.post(f"payments/{payment['id']}/refund", {}).json() == rest
    assert refusal(api.post(f"payments/{rest['id']}/refund", {})) == (422, "refund_exceeds_payment")
    assert state(api.get(path(books)).json()) == ("finalized", "119.00")
    assert books.balances() == {"receivable": "119.00", "revenue": "-100.00", "tax_payable": "-19.00"}
    assert state(api.post(path(books, "void"), {}).json()) == ("void", "0.00")
    assert books.balances() == {}


def test_a_void_invoice_leaves_nothing_in_the_books(books: Books) -> None:
    void = books.api.post(path(books, "void"), {}).json()
    assert state(void) == ("void", "0.00")
    assert books.api.post(path(books, "void"), {}).json() == void
    assert books.balances() == {}
    for action in ("pay", "uncollectible"):
        assert refusal(books.api.post(path(books, action), {})) == (409, "invoice_state")


def test_an_invoice_that_was_paid_in_part_is_not_voided(books: Books) -> None:
    books.api.post(path(books, "pay"), {"amount": "1"})
    assert refusal(books.api.post(path(books, "void"), {})) == (409, "invoice_paid")


def test_a_void_in_the_middle_takes_back_what_was_earned_and_what_was_not(api: Api) -> None:
    books = open_books(api, starts="2025-12-31")
    books.subscribe(fee("licence", "365"), starts="2026-01-01", interval="year")
    books.advance("2026-02-11")
    books.recognize()
    assert books.balances() == {"receivable": "365.00", "deferred_revenue": "-334.00", "revenue": "-31.00"}
    void_invoice(invoice=books.invoices()[0], now=at("2026-02-11"))
    # 41 days were earned by then; February's ten are recognized with its end
    assert books.balances() == {"revenue": "10.00", "deferred_revenue": "-10.00"}
    books.advance("2026-03-01")
    books.recognize()
    assert books.balances() == {}
    books.advance("2027-03-01")
    books.recognize("2026-12")
    # nothing of it is earned later; the next year is billed
    assert books.balances() == {"receivable": "365.00", "deferred_revenue": "-365.00"}


@pytest.mark.parametrize(
    ("source", "drawn", "returned"),
    [
        ("purchase", {"cash": "50"}, {"cash": "50", "customer_credits": "-50"}),
        ("promotion", {"promotion_expense": "50"}, {}),
    ],
)
def test_credits_that_an_invoice_drew_are_given_back_with_a_void(
    books: Books, source: str, drawn: dict[str, str], returned: dict[str, str]
) -> None:
    grant = grant_credit(
        customer=books.customer, name="g", amount=Decimal(50), now=at("2026-02-01"), currency="USD", source=source
    )
    books.advance("2026-03-01")  # February's 119 less 50, beside January's 119
    owed = {"revenue": "-200.00", "tax_payable": "-38.00"}
    assert books.balances() == {"receivable": "188.00"} | owed | drawn
    assert void_invoice(invoice=books.invoices()[1], now=at("2026-03-01")).status == "void"
    assert books.balances() == {"receivable": "119.00", "revenue": "-100.00", "tax_payable": "-19.00"} | returned
    grant.refresh_from_db()
    assert grant.balance == 50
    assert books.broken_laws() == {}


def test_what_is_written_off_may_still_be_paid(books: Books) -> None:
    api = books.api
    api.post(path(books, "pay"), {"amount": "19"})
    written_off = api.post(path(books, "uncollectible"), {}).json()
    assert state(written_off) == ("uncollectible", "100.00")
    assert api.post(path(books, "uncollectible"), {}).json() == written_off
    assert books.balances() == {"bad_debt": "100.00", "cash": "19", "revenue": "-100.00", "tax_payable": "-19.00"}
    assert state(api.post(path(books, "pay"), {"amount": "40"}).json()) == ("uncollectible", "60.00")
    assert books.balances()["bad_debt"] == "60.00"
    assert state(api.post(path(books, "pay"), {}).json()) == ("paid", "0.00")
    assert books.balances() == {"cash": "119.00", "revenue": "-100.00", "tax_payable": "-19.00"}
    assert refusal(api.post(path(books, "uncollectible"), {})) == (409, "invoice_state")


def test_a_written_off_invoice_that_is_voided_is_no_bad_debt(books: Books) -> None:
    [invoice] = books.invoices()
    write_off_invoice(invoice=invoice, now=at("2026-02-01"))
    void_invoice(invoice=invoice, now=at("2026-02-01"))
    assert books.balances() == {}


def test_an_invoice_that_was_written_off_paid_refunded_and_written_off_again(books: Books) -> None:
    [invoice] = books.invoices()
    now = at("2026-02-01")
    write_off_invoice(invoice=invoice, now=now)
    pay_invoice(invoice=invoice, now=now)
    refund_payment(payment=Payment.objects.get(), now=now)
    assert books.balances()["receivable"] == "119.00"
    write_off_invoice(invoice=invoice, now=now)
    assert books.balances() == {"bad_debt": "119.00", "revenue": "-100.00", "tax_payable": "-19.00"}


def test_money_of_another_organization_is_not_found(books: Books, another_api: Api) -> None:
    books.api.post(path(books, "pay"), {})
    [payment] = books.api.get("payments").json()["data"]
    assert another_api.get("payments").json()["data"] == []
    assert another_api.get(f"payments/{payment['id']}").status_code == 404
    assert another_api.post(f"payments/{payment['id']}/refund", {}).status_code == 404
    for action in ("pay", "void", "uncollectible"):
        assert another_api.post(path(books, action), {}).status_code == 404
