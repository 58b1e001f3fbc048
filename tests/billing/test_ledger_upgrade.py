"""Invoices from before there was a ledger are in it after the upgrade."""

from __future__ import annotations

import importlib
from decimal import Decimal

import pytest
from django.db import connection, transaction

from billing.facade import pay_invoice, void_invoice, write_off_invoice
from billing.models import LedgerTransaction, Payment
from tests.api import Api
from tests.billing.books import at, fee, open_books

pytestmark = pytest.mark.django_db

_FORWARD = importlib.import_module("billing.migrations.0011_post_what_was_before_the_ledger").FORWARD


def test_what_was_invoiced_and_paid_before_is_posted_once(api: Api) -> None:
    books = open_books(api, tax_rate=Decimal("0.19"), timezone="Asia/Tokyo")
    books.subscribe(fee("licence", "365"), fee("base", "10", advance=False), starts="2026-01-01", interval="quarter")
    books.advance("2026-10-02")
    opening, first, second, third = books.invoices()
    pay_invoice(invoice=opening, now=at("2026-10-02"))
    void_invoice(invoice=first, now=at("2026-10-02"))
    write_off_invoice(invoice=second, now=at("2026-10-02"))
    assert third.status == "finalized"
    books.recognize()
    before = books.balances()
    with connection.cursor() as cursor:
        # as it was before the ledger
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE; SET session_replication_role = replica")
        for table in ("deferredrevenue", "ledgerentry", "ledgertransaction", "payment"):
            cursor.execute(f"DELETE FROM billing_{table}")
        cursor.execute("SET session_replication_role = DEFAULT; SET CONSTRAINTS ALL DEFERRED")
    assert books.broken_laws() != {}
    for _ in range(2):
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(_FORWARD)
            cursor.execute("SET CONSTRAINTS ALL IMMEDIATE; DROP TABLE unposted, unposted_sides, unposted_payments")
        books.recognize()
    assert books.broken_laws() == {}
    assert {name: Decimal(amount) for name, amount in books.balances().items()} == {
        name: Decimal(amount) for name, amount in before.items()
    }
    assert Payment.objects.get().amount == opening.total
    assert LedgerTransaction.objects.exclude(kind="revenue").count() == 5
