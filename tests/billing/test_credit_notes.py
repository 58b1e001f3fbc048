from __future__ import annotations

import threading
from decimal import Decimal
from typing import Any

import pytest
from django.db import connections, transaction
from django.db.utils import IntegrityError

from accounts.models import AuditEntry
from billing.credits.charges import create_charge
from billing.credits.grants import grant_credit
from billing.models import CreditNote, CreditNoteLine, Payment
from billing.payments.credit_notes import issue_credit_note
from kernel.errors import TaximeterError
from tests.api import Api, make_api
from tests.billing.books import Books, at, fee, open_books

pytestmark = pytest.mark.django_db

FIRST = at("2026-02-01")


@pytest.fixture
def books(api: Api) -> Books:
    """January in arrears: 100.00 and 50.00 with 19% tax, 178.50 in all."""
    books = open_books(api, tax_rate=Decimal("0.19"))
    books.subscribe(fee("base", "100", advance=False), fee("extra", "50", advance=False), starts="2026-01-01")
    books.advance("2026-02-01")
    return books


def credit(books: Books, *amounts: tuple[int, str], **fields: Any) -> Any:
    """Credits lines (by position) of the first invoice; the answer."""
    [invoice] = books.invoices()
    lines = list(invoice.lines.order_by("position"))
    body: dict[str, Any] = {"invoice": invoice.pk} | fields
    if amounts:
        body["lines"] = [{"line": lines[position].pk, "amount": amount} for position, amount in amounts]
    return books.api.post("credit_notes", body)


def refusal(answer: Any) -> tuple[int, str]:
    return answer.status_code, answer.json()["code"]


def pay(books: Books, **fields: str) -> None:
    assert books.api.post(f"invoices/{books.invoices()[0].pk}/pay", fields).status_code == 200


def due(books: Books) -> tuple[str, str]:
    shown = books.api.get(f"invoices/{books.invoices()[0].pk}").json()
    return shown["status"], shown["amount_due"]


def test_a_credit_note_lowers_what_is_due_first(books: Books) -> None:
    note = credit(books, (0, "40"), reason="A slow week").json()
    shown = {name: note[name] for name in ("number", "subtotal", "tax", "total", "applied", "credited", "refunded")}
    assert shown == {
        "number": "CN-000001",
        "subtotal": "40.00",
        "tax": "7.60",
        "total": "47.60",
        "applied": "47.60",
        "credited": "0.00",
        "refunded": "0.00",
    }
    assert due(books) == ("finalized", "130.90")
    assert books.balances() == {"receivable": "130.90", "revenue": "-110.00", "tax_payable": "-20.90"}
    assert books.api.get(f"credit_notes/{note['id']}").json() == note
    assert books.api.get("credit_notes", customer="acme").json()["data"] == [note]
    assert AuditEntry.objects.filter(action="credit_note.issue").count() == 1


def test_the_rest_of_an_invoice_paid_in_part_becomes_credit(books: Books) -> None:
    pay(books, amount="100")
    note = credit(books).json()
    assert (note["total"], note["applied"], note["credited"]) == ("178.50", "78.50", "100.00")
    assert due(books) == ("paid", "0.00")
    [grant] = books.customer.credit_grants.all()
    assert (grant.source, grant.balance, grant.currency) == ("balance", Decimal(100), "USD")
    assert books.balances() == {"cash": "100", "customer_credits": "-100.00"}
    assert refusal(credit(books)) == (422, "nothing_to_credit")


def test_what_was_paid_is_refunded_where_that_is_asked_for(books: Books) -> None:
    pay(books)
    paid_at = books.invoices()[0].paid_at
    note = credit(books, (1, "50"), refund="refund").json()
    assert (note["total"], note["applied"], note["refunded"]) == ("59.50", "0.00", "59.50")
    assert Payment.objects.get(amount__lt=0).reference == "CN-000001"
    assert (due(books), books.invoices()[0].paid_at) == (("paid", "0.00"), paid_at)
    assert books.balances() == {"cash": "119.00", "revenue": "-100.00", "tax_payable": "-19.00"}


def test_what_was_paid_with_credit_goes_back_to_credit(books: Books) -> None:
    books.api.post(f"invoices/{books.invoices()[0].pk}/void", {})
    grant_credit(customer=books.customer, name="g", amount=Decimal(100), now=FIRST, currency="USD", source="purchase")
    books.advance("2026-03-01")  # February's 178.50, 100 of it paid by credit
    second = books.invoices()[1]
    books.api.post(f"invoices/{second.pk}/pay", {})
    note = books.api.post("credit_notes", {"invoice": second.pk, "refund": "refund"}).json()
    assert (note["applied"], note["refunded"], note["credited"]) == ("0.00", "78.50", "100.00")
    assert books.balances() == {"cash": "100.00", "customer_credits": "-100.00"}


def test_nothing_is_given_back_where_that_is_asked_for(books: Books) -> None:
    pay(books, amount="170")
    assert refusal(credit(books, (0, "8"), refund="none")) == (422, "credit_exceeds_due")
    assert not CreditNote.objects.exists()
    assert credit(books, (0, "7"), refund="none").json()["total"] == "8.33"  # 7 and 1.33 of 8.50 due
    assert due(books) == ("finalized", "0.17")


def test_tax_of_notes_in_parts_sums_to_the_tax_of_the_line(api: Api) -> None:
    books = open_books(api, tax_rate=Decimal("0.07"))
    books.subscribe(fee("base", "1.00", advance=False), starts="2026-01-01")
    books.advance("2026-02-01")  # tax 0.07
    taxes = [credit(books, (0, "0.33"), reason=f"part {part}").json()["tax"] for part in range(3)]
    # of 0.33, 0.66 and 0.99: 0.0231, 0.0462 and 0.0693, rounded 0.02, 0.05 and 0.07
    assert taxes == ["0.02", "0.03", "0.02"]
    rest = credit(books).json()
    assert (rest["subtotal"], rest["tax"]) == ("0.01", "0.00")
    assert due(books) == ("paid", "0.00")
    assert books.balances() == {}


@pytest.mark.parametrize(
    ("amounts", "fields", "status", "code"),
    [
        ([(0, "100.01")], {}, 422, "credit_exceeds_line"),
        ([(0, "0")], {}, 422, "amount_invalid"),
        ([(0, "-5")], {}, 422, "amount_invalid"),
        ([(0, "0.001")], {}, 422, "amount_invalid"),
        ([(0, "1"), (0, "1")], {}, 422, "invalid"),
        ([(0, "1")], {"refund": "cash"}, 422, "invalid"),
        ([(0, "1")], {"invoice": "inv_nothing"}, 404, "invoice_not_found"),
        ([], {"lines": [{"line": "inl_nothing", "amount": "1"}]}, 404, "invoice_line_not_found"),
        ([], {"lines": []}, 422, "invalid"),
    ],
)
def test_a_credit_note_that_makes_no_sense_is_refused(
    books: Books, amounts: list[tuple[int, str]], fields: dict[str, Any], status: int, code: str
) -> None:
    answer = credit(books, *amounts, **fields)
    assert answer.status_code == status
    if code != "invalid":
        assert answer.json()["code"] == code
    assert not CreditNote.objects.exists()


def test_no_more_is_credited_than_the_whole_invoice_came_to(api: Api) -> None:
    books = open_books(api)
    books.subscribe(fee("base", "100", advance=False), starts="2026-01-01")
    create_charge(customer=books.customer, description="goodwill", unit_amount=Decimal(-60), now=at("2026-01-02"))
    books.advance("2026-02-01")  # 100 and -60
    assert refusal(credit(books, (0, "40.01"))) == (422, "credit_exceeds_invoice")
    assert credit(books, (0, "15")).json()["applied"] == "15.00"
    rest = credit(books).json()
    assert ([line["amount"] for line in rest["lines"]], rest["total"]) == (["85.00", "-60.00"], "25.00")
    assert (due(books), books.balances(), books.broken_laws()) == (("paid", "0.00"), {}, {})


def test_no_line_is_credited_twice(books: Books) -> None:
    assert credit(books, (0, "60")).status_code == 201
    assert refusal(credit(books, (0, "40.01"))) == (422, "credit_exceeds_line")
    assert credit(books, (0, "40")).json()["number"] == "CN-000002"
    assert credit(books).json()["subtotal"] == "50.00"
    assert due(books) == ("paid", "0.00")


def test_a_void_invoice_is_not_credited_and_a_credited_one_not_voided(books: Books) -> None:
    credit(books, (0, "1"))
    [invoice] = books.invoices()
    assert refusal(books.api.post(f"invoices/{invoice.pk}/void", {})) == (409, "invoice_paid")
    books.advance("2026-03-01")
    second = books.invoices()[1]
    books.api.post(f"invoices/{second.pk}/void", {})
    assert refusal(books.api.post("credit_notes", {"invoice": second.pk})) == (409, "invoice_state")


def test_a_bad_debt_that_is_credited_is_no_debt(books: Books) -> None:
    [invoice] = books.invoices()
    books.api.post(f"invoices/{invoice.pk}/uncollectible", {})
    credit(books, (0, "100"))
    assert due(books) == ("uncollectible", "59.50")
    assert books.balances() == {"bad_debt": "59.50", "revenue": "-50.00", "tax_payable": "-9.50"}
    credit(books)
    assert due(books) == ("paid", "0.00")
    assert books.balances() == {}


def test_credit_notes_never_change(books: Books) -> None:
    credit(books, (0, "1"))
    note = CreditNote.objects.get()
    attempts = [
        lambda: CreditNote.objects.update(reason="other"),
        lambda: CreditNote.objects.update(subtotal=2, total=2, tax=0),
        lambda: CreditNoteLine.objects.update(amount=2),
        lambda: CreditNoteLine.objects.all().delete(),
    ]
    for attempt in attempts:
        with pytest.raises(IntegrityError, match="never changed"), transaction.atomic():
            attempt()
    with pytest.raises(IntegrityError, match="not the sum of its lines"), transaction.atomic():
        _add_line(note)


def _add_line(note: CreditNote) -> None:
    CreditNoteLine.objects.create(credit_note=note, line=note.lines.get().line, amount=1, tax=0)
    with connections["default"].cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")


def test_credit_notes_of_another_organization_are_not_found(books: Books, another_api: Api) -> None:
    note = credit(books, (0, "1")).json()
    assert another_api.get(f"credit_notes/{note['id']}").status_code == 404
    assert another_api.get("credit_notes").json()["data"] == []
    answer = another_api.post("credit_notes", {"invoice": note["invoice"]})
    assert refusal(answer) == (404, "invoice_not_found")


@pytest.mark.django_db(transaction=True)
def test_notes_issued_at_once_take_back_no_more_than_there_is_and_leave_no_gap() -> None:
    books = open_books(make_api("Busy vendor"))
    for key in ("a", "b", "c"):
        books.subscribe(fee(key, "10", advance=False), starts="2026-01-01", key=key)
    books.advance("2026-02-01")
    outcomes: list[str] = []

    def work(invoice: Any) -> None:
        line = invoice.lines.get().pk
        try:
            issue_credit_note(invoice=invoice, now=FIRST, lines={line: Decimal(4)})
            outcomes.append("issued")
        except TaximeterError as error:
            outcomes.append(error.code)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=work, args=(invoice,)) for invoice in books.invoices() for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == ["credit_exceeds_line"] * 6 + ["issued"] * 6
    numbers = CreditNote.objects.order_by("number").values_list("number", flat=True)
    assert list(numbers) == [f"CN-{number:06d}" for number in range(1, 7)]
    assert books.broken_laws() == {}
