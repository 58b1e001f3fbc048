from __future__ import annotations

import io
from decimal import Decimal
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connection, transaction
from django.db.utils import IntegrityError

from billing.credits.expiry import expire_on_clock
from billing.credits.grants import grant_credit, void_grant
from billing.facade import pay_invoice
from billing.ledger.posting import post_invoices
from billing.ledger.recognition import MonthNotOver
from billing.models import DeferredRevenue, LedgerEntry, LedgerTransaction
from billing.payments.credit_notes import issue_credit_note
from kernel.period import Month
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
    # All but what was taken back is earned. The next year's invoice has drawn the credit: 1428 - 357 is due.
    assert books.balances() == {
        "cash": "1428.00",
        "deferred_revenue": "-1200.00",
        "receivable": "1071.00",
        "revenue": "-900.00",
        "tax_payable": "-399.00",
    }
    assert books.broken_laws() == {}


def test_in_arrears_revenue_is_earned_when_it_is_invoiced(api: Api) -> None:
    books = open_books(api, starts="2026-03-01")
    books.subscribe(fee("base", "30", advance=False), fee("next", "31"), starts="2026-03-01")
    books.advance("2026-04-01")
    # March's opening invoice: 31 in advance. April's: March's 30 in arrears and 31 for April in advance.
    assert books.balances() == {"receivable": "92.00", "deferred_revenue": "-62.00", "revenue": "-30.00"}
    assert books.recognize() == 1
    assert books.balances() == {"receivable": "92.00", "deferred_revenue": "-31.00", "revenue": "-61.00"}


@pytest.mark.parametrize(
    ("currency", "amount", "months"),
    [
        # 1000 yen over 90 days: 31, 59 and 90 of them are 344.4, 655.6 and 1000
        ("JPY", "1000", ["-344", "-656", "-1000"]),
        # a dinar has 1000 fils: 10.001 over 90 days: 3.44478, 6.55621 and 10.001
        ("KWD", "10.001", ["-3.445", "-6.556", "-10.001"]),
        ("USD", "0.01", [None, "-0.01", "-0.01"]),  # 0.0034, 0.0066
    ],
)
def test_parts_are_rounded_to_the_currency_and_sum_to_the_whole(
    api: Api, currency: str, amount: str, months: list[str | None]
) -> None:
    books = open_books(api, currency=currency)
    books.subscribe(fee("base", amount), starts="2026-01-01", interval="quarter")
    for month, revenue in zip(("2026-02-01", "2026-03-01", "2026-03-31T23:59:59"), months, strict=True):
        books.advance(month)
        books.recognize()
        if month < "2026-03-31":
            assert books.balances().get("revenue") == revenue
    books.advance("2026-04-01")  # the next quarter is billed
    books.recognize()
    assert books.balances()["revenue"] == months[-1]


def test_a_month_is_over_when_it_is_over_for_the_customer(api: Api) -> None:
    books = open_books(api, timezone="America/Los_Angeles")
    books.subscribe(fee("base", "31"), starts="2026-01-01T08:00:00")
    books.advance("2026-02-01T07:59:59")
    assert books.recognize() == 0
    books.advance("2026-02-01T08:00:00")
    assert books.recognize() == 1
    assert books.balances()["revenue"] == "-31.00"
    recognized = LedgerTransaction.objects.get(kind="revenue")
    # January's revenue is January's in the books, which are kept in UTC
    assert recognized.occurred_at == at("2026-01-31T23:59:59.999999")


def test_days_in_a_zone_with_a_change_of_clocks_are_days(api: Api) -> None:
    books = open_books(api, timezone="Europe/Berlin")
    books.subscribe(fee("base", "92"), starts="2026-03-31T22:00:00", interval="quarter")
    books.advance("2026-04-30T22:00:00")  # midnight of 1 May in Berlin, April having 30 of 91 days
    books.recognize("2026-03")
    assert books.balances()["deferred_revenue"] == "-92.00"
    books.advance("2026-05-01")
    books.recognize()
    assert books.balances()["revenue"] == "-30.33"


def test_what_was_missed_is_caught_up_month_by_month(api: Api) -> None:
    books = open_books(api)
    books.subscribe(fee("licence", "365"), starts="2026-01-01", interval="year")
    books.advance("2026-06-15")
    with pytest.raises(MonthNotOver):
        books.recognize("2026-06")
    assert books.recognize("2026-02") == 2
    assert books.recognize() == 3
    found = LedgerTransaction.objects.filter(kind="revenue").order_by("id")
    assert [(f"{one.occurred_at:%Y-%m}", one.entries.get(account="deferred_revenue").amount) for one in found] == [
        ("2026-01", 31), ("2026-02", 28), ("2026-03", 31), ("2026-04", 30), ("2026-05", 31),
    ]  # fmt: skip


def test_the_command_recognizes_and_says_how_much(api: Api) -> None:
    books = open_books(api, starts="2025-01-01")
    books.subscribe(fee("base", "31"), starts="2025-01-01", interval="year")
    books.advance("2025-03-01")
    outputs = []
    for _ in range(2):
        out = io.StringIO()
        call_command("recognize_revenue", organization=api.organization.key, stdout=out)
        outputs.append(out.getvalue().split(": ")[1].strip())
    assert outputs == ["2 posting(s)", "0 posting(s)"]
    with pytest.raises(CommandError, match="not over"):
        call_command("recognize_revenue", month=Month(2999, 1))


@pytest.mark.parametrize(
    ("source", "granted", "voided"),
    [
        ("purchase", {"cash": "50", "customer_credits": "-50"}, {}),
        ("promotion", {}, {}),
    ],
)
def test_what_was_bought_is_owed_and_what_was_given_is_not(
    api: Api, source: str, granted: dict[str, str], voided: dict[str, str]
) -> None:
    books = open_books(api)
    grant = grant_credit(
        customer=books.customer, name="g", amount=Decimal(50), now=at("2026-01-01"), currency="USD", source=source
    )
    assert books.balances() == granted
    void_grant(grant=grant, now=at("2026-01-02"))
    assert books.balances() == voided


@pytest.mark.parametrize(
    ("source", "balances"),
    [
        # 20 of 50 roll over, 30 expire
        ("purchase", {"cash": "50", "customer_credits": "-20", "breakage": "-30"}),
        ("promotion", {"customer_credits": "-20", "promotion_expense": "20"}),
    ],
)
def test_credit_that_expires_or_is_rolled_over(api: Api, source: str, balances: dict[str, str]) -> None:
    books = open_books(api)
    grant_credit(
        customer=books.customer,
        name="g",
        amount=Decimal(50),
        now=at("2026-01-01"),
        currency="USD",
        source=source,
        expires_at=at("2026-01-05"),
        rollover_limit=Decimal(20),
        rollover_days=3,
    )
    expire_on_clock(test_clock=books.clock, until=at("2026-01-06"))
    assert books.balances() == balances


def test_what_is_not_balanced_is_refused_by_the_database(api: Api) -> None:
    books = open_books(api)
    books.subscribe(fee("base", "10"), starts="2026-01-01")
    books.advance("2026-01-02")
    entry, transaction_ = LedgerEntry.objects.order_by("id").first(), LedgerTransaction.objects.get()
    assert entry is not None
    attempts = [
        (lambda: LedgerEntry.objects.create(transaction=transaction_, account="cash", amount=1), "do not balance"),
        (lambda: LedgerEntry.objects.update(amount=1), "never changed"),
        (lambda: LedgerEntry.objects.all().delete(), "never changed"),
        (lambda: LedgerTransaction.objects.update(kind="void"), "never changed"),
        (lambda: DeferredRevenue.objects.update(amount=5), "nothing else"),
        (lambda: DeferredRevenue.objects.update(recognized_until="2025-12-01"), "forward"),
        (lambda: DeferredRevenue.objects.all().delete(), "nothing else"),
        (lambda: _empty_transaction(transaction_), "has 0 entries"),
    ]
    for attempt, message in attempts:
        with pytest.raises(IntegrityError, match=message), transaction.atomic():
            attempt()


def _empty_transaction(like: LedgerTransaction) -> None:
    LedgerTransaction.objects.create(
        organization=like.organization, kind="payment", source="x", occurred_at=like.occurred_at, currency="USD",
        customer=like.customer,
    )  # fmt: skip
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")


def test_posting_twice_changes_nothing(api: Api) -> None:
    books = open_books(api)
    books.subscribe(fee("base", "10"), starts="2026-01-01")
    books.advance("2026-01-02")
    [invoice] = books.invoices()
    assert post_invoices(invoices=[invoice]) == 0
    assert (LedgerTransaction.objects.count(), LedgerEntry.objects.count(), DeferredRevenue.objects.count()) == (
        1,
        2,
        1,
    )


def test_many_invoices_are_posted_in_a_few_statements(api: Api, django_assert_max_num_queries: Any) -> None:
    books = open_books(api)
    for number in range(12):
        books.subscribe(fee("base", "10"), starts="2026-01-01", key=f"p{number}")
    books.advance("2026-01-02")
    invoices = books.invoices()
    with django_assert_max_num_queries(4):
        post_invoices(invoices=invoices)
    books.advance("2026-02-02")
    # one to look at clocks, one for the first month, one for currencies, one each to move and to post, savepoints
    with django_assert_max_num_queries(8):
        assert books.recognize() == 1


def test_the_ledger_reports_through_the_api(api: Api, another_api: Api) -> None:
    books = open_books(api, tax_rate=Decimal("0.10"))
    books.subscribe(fee("licence", "365"), starts="2026-01-01", interval="year")
    books.advance("2026-01-05")
    pay_invoice(invoice=books.invoices()[0], now=at("2026-02-03"))
    books.advance("2026-03-01")
    books.recognize()
    page = api.get("ledger/transactions", limit="2").json()
    assert [one["kind"] for one in page["data"]] == ["invoice", "payment"]
    assert page["data"][0]["entries"] == [
        {"account": "receivable", "amount": "401.50"},
        {"account": "deferred_revenue", "amount": "-365.00"},
        {"account": "tax_payable", "amount": "-36.50"},
    ]
    rest = api.get("ledger/transactions", cursor=page["next_cursor"]).json()
    assert [(one["kind"], one["occurred_at"]) for one in rest["data"]] == [
        ("revenue", "2026-01-31T23:59:59.999999Z"),
        ("revenue", "2026-02-28T23:59:59.999999Z"),
    ]
    filtered = {
        "account=cash": 1, "kind=revenue": 2, "customer=acme": 4, "from=2026-02-01T00:00:00Z": 2,
        "to=2026-02-01T00:00:00Z": 2,
    }  # fmt: skip
    for query, number in filtered.items():
        name, value = query.split("=")
        assert len(api.get("ledger/transactions", **{name: value}).json()["data"]) == number, query
    for name in ("account", "kind"):
        assert api.get("ledger/transactions", **{name: "x"}).json()["code"] == f"{name}_invalid"

    february = api.get("ledger/trial_balance", month="2026-02").json()
    assert {row.pop("account"): row for row in february["data"]} == {
        name: {"currency": "USD", "opening": opening, "debits": debits, "credits": credits, "closing": closing}
        for name, opening, debits, credits, closing in [
            ("cash", "0.00", "401.50", "0.00", "401.50"),
            ("deferred_revenue", "-334.00", "28.00", "0.00", "-306.00"),
            ("receivable", "401.50", "0.00", "401.50", "0.00"),
            ("revenue", "-31.00", "0.00", "28.00", "-59.00"),
            ("tax_payable", "-36.50", "0.00", "0.00", "-36.50"),
        ]
    }
    [totals] = february["totals"]
    assert totals == {"currency": "USD", "opening": "0.00", "debits": "429.50", "credits": "429.50", "closing": "0.00"}

    at_new_year = api.get("ledger/balances", at="2026-02-01T00:00:00Z").json()["data"]
    assert {one["account"]: one["balance"] for one in at_new_year} == {
        "deferred_revenue": "-334.00", "receivable": "401.50", "revenue": "-31.00", "tax_payable": "-36.50",
    }  # fmt: skip
    schedule = api.get("ledger/revenue_schedule", **{"from": "2025-12", "to": "2026-05"}).json()["data"]
    assert [(one["month"], one["recognized"], one["scheduled"], one["deferred"]) for one in schedule] == [
        ("2025-12", "0.00", "0.00", "0.00"),
        ("2026-01", "31.00", "0.00", "334.00"),
        ("2026-02", "28.00", "0.00", "306.00"),
        ("2026-03", "0.00", "31.00", "275.00"),
        ("2026-04", "0.00", "30.00", "245.00"),
        ("2026-05", "0.00", "31.00", "214.00"),
    ]
    assert api.get("ledger/revenue_schedule", **{"from": "2026-02", "to": "2026-01"}).json()["code"] == "months_invalid"
    for path in ("transactions", "balances", "trial_balance", "revenue_schedule"):
        assert another_api.get(f"ledger/{path}").json()["data"] == []
    assert books.broken_laws() == {}
