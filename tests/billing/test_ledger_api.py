"""What the API answers about money has the shape that it says, and costs the same however much there is."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from drf_spectacular.generators import SchemaGenerator
from rest_framework.serializers import ListSerializer, Serializer

from billing.ledger import answers as ledger_answers
from billing.payments import answers as payments_answers
from tests.api import Api
from tests.billing.books import Books, fee, open_books

pytestmark = pytest.mark.django_db

LISTS = {
    "payments": payments_answers.Payment,
    "credit_notes": payments_answers.CreditNote,
    "ledger/transactions": ledger_answers.LedgerTransaction,
}
REPORTS = {
    "ledger/balances": ledger_answers.AccountBalances,
    "ledger/trial_balance?month=2026-02": ledger_answers.TrialBalance,
    "ledger/revenue_schedule?from=2026-01&to=2026-03": ledger_answers.RevenueSchedule,
}


@pytest.fixture
def books(api: Api) -> Books:
    """Invoices of January and February, in arrears and in advance, each paid and credited in part."""
    books = open_books(api, tax_rate=Decimal("0.19"))
    books.subscribe(fee("base", "100", advance=False), fee("next", "50"), starts="2026-01-01")
    books.advance("2026-02-02")
    settle_all(books)
    return books


def settle_all(books: Books) -> None:
    for invoice in books.invoices():
        if invoice.status == "finalized":
            books.api.post(f"invoices/{invoice.pk}/pay", {"amount": "5"})
            assert books.api.post("credit_notes", {"invoice": invoice.pk}).status_code == 201


def differences(answer: Any, shape: Serializer[Any], where: str) -> list[str]:
    found = [f"{where}: {set(answer) ^ set(shape.fields)}"] if set(answer) != set(shape.fields) else []
    for name, field in shape.fields.items():
        if isinstance(field, ListSerializer):
            assert answer[name], f"{where}.{name} shows nothing"
            found += differences(answer[name][0], field.child, f"{where}.{name}")
    return found


def test_what_is_answered_has_the_shape_that_is_said(books: Books) -> None:
    books.recognize()
    found: list[str] = []
    for path, shape in LISTS.items():
        first, *_ = books.api.get(path).json()["data"]
        found += differences(first, shape(), path)
    for path, shape in REPORTS.items():
        found += differences(books.api.client.get(f"/api/v1/{path}").json(), shape(), path)
    assert found == []


@pytest.mark.parametrize("path", LISTS)
def test_a_list_asks_the_database_the_same_number_of_questions_however_long_it_is(books: Books, path: str) -> None:
    numbers = []
    for month in ("2026-02-03", "2026-06-01"):
        books.advance(month)
        settle_all(books)
        with CaptureQueriesContext(
            connection,
        ) as queries:
            numbers.append(len(books.api.get(path).json()["data"]))
        numbers.append(len(queries))
    fewer_rows, questions, more_rows, questions_later = numbers
    assert fewer_rows < more_rows
    assert questions == questions_later <= 6


@pytest.mark.parametrize(
    ("path", "fields"),
    [
        ("/api/v1/invoices/{invoice}/pay", {"amount", "method", "reference", "paid_at"}),
        ("/api/v1/payments/{payment}/refund", {"amount", "reference"}),
        ("/api/v1/credit_notes", {"invoice", "kind", "reason", "lines", "refund"}),
    ],
)
def test_the_schema_says_what_a_request_may_hold(path: str, fields: set[str]) -> None:
    schema = SchemaGenerator().get_schema(request=None, public=True)
    body = schema["paths"][path]["post"]["requestBody"]["content"]["application/json"]["schema"]
    component = schema["components"]["schemas"][body["$ref"].rpartition("/")[2]]
    assert set(component["properties"]) == fields
