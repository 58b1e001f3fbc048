"""Whatever happens, in whatever order: the books balance, say what is due, and nothing counts twice."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date, timedelta
from decimal import Decimal
from functools import partial
from typing import Any

import pytest
from django.db import connection, connections, transaction
from hypothesis import given, settings
from hypothesis import strategies as st

from billing.credits.charges import create_charge, invoice_charge
from billing.credits.coupons import create_coupon, redeem_coupon
from billing.credits.grants import grant_credit, void_grant
from billing.customers.services import change_policy
from billing.ledger.deferrals import Deferral, earned_by, taken_back
from billing.ledger.posting import post_credit_movements, post_invoices
from billing.models import LedgerTransaction, Payment
from billing.payments.credit_notes import issue_credit_note
from billing.payments.services import pay_invoice, refund_payment, void_invoice, write_off_invoice
from billing.rating.crediting import BilledLine, NothingToCredit, credit_lines
from billing.subscriptions.changes import change_seats, pause_subscription, resume_subscription
from billing.subscriptions.ends import cancel_subscription
from kernel.errors import TaximeterError
from tests.api import Api, make_api
from tests.billing.books import Books, at, fee, open_books
from tests.examples import examples

amounts = st.integers(1, 15000).map(lambda cents: Decimal(cents).scaleb(-2))
picks = st.integers(0, 5)
operations = st.lists(
    st.one_of(
        st.tuples(st.just("advance"), st.integers(1, 75)),
        st.tuples(st.just("pay"), picks, st.one_of(st.none(), amounts)),
        st.tuples(st.just("refund"), picks, st.one_of(st.none(), amounts)),
        st.tuples(st.sampled_from(["void", "write_off"]), picks),
        st.tuples(
            st.just("credit"), picks, st.one_of(st.none(), amounts), st.sampled_from(["credit_balance", "refund"])
        ),
        st.tuples(st.just("grant"), amounts, st.sampled_from(["promotion", "purchase"])),
        st.tuples(st.just("void_grant"), picks),
        st.tuples(st.just("recognize")),
        st.tuples(st.just("charge"), st.integers(-5000, 15000).filter(bool), st.booleans()),
        st.tuples(st.sampled_from(["cancel", "pause", "resume"]), picks),
        st.tuples(st.just("seats"), st.integers(1, 9)),
        st.tuples(st.just("grace"), st.sampled_from([0, 48])),
    ),
    min_size=3,
    max_size=12,
)


@pytest.mark.django_db
@settings(max_examples=examples(3, thorough=40))
@given(operations)
def test_the_books_hold_after_anything_in_any_order(steps: list[tuple[Any, ...]]) -> None:
    with undone():
        books = open_books(make_api("Vendor"), tax_rate=Decimal("0.19"), timezone="Asia/Tokyo")
        books.subscribe(fee("a", "99.99"), fee("b", "31.01", advance=False), starts="2026-01-10", key="monthly")
        seats = {"key": "s", "kind": "seat", "bill": "in_advance", "model": {"type": "per_unit", "unit_amount": "7.77"}}
        books.subscribe(fee("c", "1000.07"), seats, starts="2026-01-15", interval="quarter", key="quarterly", seats=3)
        books.advance("2026-01-20")
        for step in steps:
            try:
                with transaction.atomic():
                    perform(books, *step)
            except TaximeterError:
                pass  # refused, and nothing of it is in the books
        assert books.broken_laws() == {}
        books.recognize()
        assert_nothing_changes_twice(books)
        assert books.broken_laws() == {}


@contextmanager
def undone() -> Iterator[None]:
    """What happens inside is checked as at a commit, then undone."""
    with transaction.atomic():
        yield
        with connection.cursor() as cursor:
            cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        transaction.set_rollback(True)


def perform(books: Books, name: str, *given: Any) -> None:
    books.clock.refresh_from_db()
    now, invoices = books.clock.now, books.invoices()
    if name == "advance":
        books.advance((now + timedelta(days=given[0])).strftime("%Y-%m-%dT%H:%M:%S"))
    elif name == "recognize":
        books.recognize()
    elif name == "grant":
        grant_credit(customer=books.customer, name="g", amount=given[0], now=now, currency="USD", source=given[1])
    elif name == "grace":
        change_policy(organization_id=books.api.organization.pk, grace_hours=given[0])
    elif name == "charge":
        charge = create_charge(
            customer=books.customer, description="c", unit_amount=Decimal(given[0]).scaleb(-2), now=now
        )
        if given[1]:
            invoice_charge(charge=charge, now=now)
    elif name in {"cancel", "pause", "resume", "seats"}:
        change(name, books, now, *given)
    elif name == "void_grant":
        grants = list(books.customer.credit_grants.order_by("id"))
        if grants:
            void_grant(grant=grants[given[0] % len(grants)], now=now)
    elif name == "refund":
        payments = list(Payment.objects.order_by("id"))
        if payments:
            refund_payment(payment=payments[given[0] % len(payments)], now=now, amount=given[1])
    else:
        settle(name, invoices[given[0] % len(invoices)], now, *given[1:])


def change(name: str, books: Books, now: Any, given: int) -> None:
    subscriptions = list(books.customer.subscriptions.order_by("id"))
    if name == "seats":
        change_seats(subscription=subscriptions[1], seats=given, when="now", now=now)
        return
    subscription = subscriptions[given % 2]
    if name == "cancel":
        cancel_subscription(subscription=subscription, ends_at=now, now=now)
    else:
        {"pause": pause_subscription, "resume": resume_subscription}[name](subscription=subscription, now=now)


def settle(name: str, invoice: Any, now: Any, *given: Any) -> None:
    if name == "pay":
        pay_invoice(invoice=invoice, now=now, amount=given[0])
    elif name == "void":
        void_invoice(invoice=invoice, now=now)
    elif name == "write_off":
        write_off_invoice(invoice=invoice, now=now)
    else:
        line = invoice.lines.order_by("position").last()
        lines = None if given[0] is None else {line.pk: given[0]}
        issue_credit_note(invoice=invoice, now=now, lines=lines, refund=given[1])


def assert_nothing_changes_twice(books: Books) -> None:
    before = LedgerTransaction.objects.count(), books.balances()
    assert books.recognize() == 0
    invoices = books.invoices()
    assert post_invoices(invoices=invoices) == 0
    for grant in books.customer.credit_grants.all():
        assert post_credit_movements(grant.movements.all()) == 0
    for invoice in invoices:
        if invoice.status in {"paid", "void", "uncollectible"}:
            again = {"paid": pay_invoice, "void": void_invoice, "uncollectible": write_off_invoice}[invoice.status]
            again(invoice=invoice, now=books.clock.now)
    assert (LedgerTransaction.objects.count(), books.balances()) == before


@pytest.mark.django_db
def test_a_failure_in_the_middle_leaves_nothing_behind(api: Api) -> None:
    books = open_books(api)
    books.subscribe(fee("a", "100"), starts="2026-01-01")
    books.advance("2026-01-02")
    [invoice] = books.invoices()
    before = books.balances()

    def killed(action: Any) -> None:
        action(invoice=invoice, now=at("2026-01-03"))
        raise InterruptedError

    for action in (pay_invoice, void_invoice, write_off_invoice, issue_credit_note):
        with pytest.raises(InterruptedError), transaction.atomic():
            killed(action)
        assert (books.balances(), books.again(invoice).status) == (before, "finalized")
    # a number that was given in vain is given again
    assert issue_credit_note(invoice=invoice, now=at("2026-01-03")).number == "CN-000001"


@pytest.mark.django_db(transaction=True)
def test_what_is_done_at_once_by_several_is_posted_once() -> None:
    books = open_books(make_api("Vendor"))
    books.subscribe(fee("a", "31"), starts="2026-01-01")
    books.advance("2026-02-01")
    first, second = books.invoices()
    outcomes: list[str] = []

    def work(action: Callable[[], Any]) -> None:
        try:
            action()
            outcomes.append("done")
        except TaximeterError as error:
            outcomes.append(error.code)
        finally:
            connections.close_all()

    def pay_ten() -> None:
        pay_invoice(invoice=second, now=at("2026-02-01"), amount=Decimal(10))

    actions: list[Callable[[], Any]] = [
        books.recognize,
        partial(pay_invoice, invoice=first, now=at("2026-02-01")),
        pay_ten,
    ]
    threads = [threading.Thread(target=work, args=(action,)) for action in actions * 4]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == ["done"] * 11 + ["payment_exceeds_due"]
    # 31 and three times 10 are paid; January's 31 is earned once
    assert books.balances() == {
        "cash": "61.00",
        "deferred_revenue": "-31.00",
        "receivable": "1.00",
        "revenue": "-31.00",
    }
    assert books.broken_laws() == {}


@pytest.mark.django_db
def test_what_a_coupon_took_off_is_no_revenue(api: Api) -> None:
    books = open_books(api, tax_rate=Decimal("0.10"))
    coupon = create_coupon(organization=api.organization, key="half", name="Half", percent=Decimal(50))
    subscription = books.subscribe(fee("a", "100"), starts="2026-01-01")
    redeem_coupon(subscription=subscription, coupon=coupon, now=at("2026-01-01"))
    books.advance("2026-01-02")
    assert books.balances() == {"receivable": "55.00", "deferred_revenue": "-50.00", "tax_payable": "-5.00"}
    note = issue_credit_note(invoice=books.invoices()[0], now=at("2026-01-02"))
    assert (note.subtotal, note.tax, note.applied) == (Decimal(50), Decimal(5), Decimal(55))
    assert books.broken_laws() == {}


days = st.integers(1, 800)


@given(amounts, days, st.lists(st.integers(-10, 900), max_size=12))
def test_what_days_earn_in_any_steps_sums_to_the_whole(amount: Decimal, length: int, cuts: list[int]) -> None:
    first = date(2026, 1, 1)
    deferral = Deferral("l", amount, first, first + timedelta(days=length))
    steps = [
        earned_by(deferral, currency="USD", until=first + timedelta(days=cut)) for cut in [-11, *sorted(cuts), 901]
    ]
    earned = [after - before for before, after in itertools.pairwise(steps)]
    assert all(one >= 0 for one in earned)
    assert sum(earned) == amount


@given(amounts, amounts, days, st.integers(0, 900))
def test_what_is_taken_back_is_unearned_first_and_never_more_than_there_is(
    amount: Decimal, back: Decimal, length: int, day: int
) -> None:
    first = date(2026, 1, 1)
    deferral = Deferral("l", amount, first, first + timedelta(days=length))
    on = first + timedelta(days=day)
    left = amount - earned_by(deferral, currency="USD", until=on)
    found = taken_back("l", back, [deferral], currency="USD", on=on)
    assert (-found.amount if found else 0) == min(back, left)


@given(st.lists(amounts, min_size=1, max_size=8), st.decimals("0", "0.3", places=3))
def test_credit_notes_in_any_parts_take_back_all_of_the_tax(parts: list[Decimal], rate: Decimal) -> None:
    net = sum(parts, Decimal(0))
    tax = (net * rate).quantize(Decimal("0.01"))
    credited = credited_tax = Decimal(0)
    for part in parts:
        line = BilledLine("l", net, tax, credited, credited_tax)
        [one] = credit_lines([line], {"l": part}, currency="USD")
        credited, credited_tax = credited + one.amount, credited_tax + one.tax
    assert (credited, credited_tax) == (net, tax)
    with pytest.raises(NothingToCredit):
        credit_lines([BilledLine("l", net, tax, credited, credited_tax)], None, currency="USD")


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("statement", "laws"),
    [
        ("UPDATE billing_ledgerentry SET amount = amount + 1 WHERE account = 'tax_payable'", {"ledger transactions"}),
        ("DELETE FROM billing_ledgerentry WHERE account = 'cash'", {"ledger transactions"}),
        ("UPDATE billing_invoice SET amount_due = amount_due + 1 WHERE status = 'finalized'", {"receivable is"}),
        ("DELETE FROM billing_ledgerentry WHERE account = 'receivable'", {"ledger transactions", "receivable is"}),
        (
            "UPDATE billing_ledgerentry SET account = 'revenue' WHERE account = 'deferred_revenue'",
            {"deferred revenue is"},
        ),
        (
            "UPDATE billing_deferredrevenue SET recognized = amount + 1 WHERE amount > 0",
            {"deferred revenue is", "recognized revenue"},
        ),
        (
            "UPDATE billing_creditnoteline SET amount = amount + 100; "
            "UPDATE billing_creditnote SET subtotal = subtotal + 100, total = total + 100, applied = applied + 100",
            {"credit notes never", "recognized revenue"},
        ),
        ("UPDATE billing_creditnotecounter SET last = 3", {"credit note numbers"}),
        ("UPDATE billing_creditnote SET number = 'CN-000009'", {"credit note numbers"}),
    ],
)
def test_a_broken_law_of_the_books_is_named(api: Api, statement: str, laws: set[str]) -> None:
    books = open_books(api, tax_rate=Decimal("0.19"))
    books.subscribe(fee("a", "100"), starts="2026-01-01")
    books.advance("2026-02-02")
    books.recognize()
    first, second = books.invoices()
    pay_invoice(invoice=first, now=at("2026-02-02"))
    issue_credit_note(invoice=second, now=at("2026-02-02"), lines={second.lines.get().pk: Decimal(10)})
    assert books.broken_laws() == {}
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE; SET session_replication_role = replica")
        cursor.execute(statement)
        cursor.execute("SET session_replication_role = DEFAULT")
    broken = set(books.broken_laws())
    assert len(broken) == len(laws)
    assert all(any(law.startswith(start) for start in laws) for law in broken), broken
