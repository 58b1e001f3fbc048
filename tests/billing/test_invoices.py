from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest
from django.db import connections, transaction
from django.db.utils import IntegrityError

from billing.models import Invoice, InvoiceLine
from metering.facade import advance_projections
from tests.api import Api, make_api
from tests.billing.test_closing_a_month import close, invoices

Make = Callable[..., Any]

# An event is seen by those who come after its transaction has ended: each test needs real ones.
pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def invoice(vendor: Api, subscribe: Make, send: Make) -> dict[str, Any]:
    """October of a customer with 7 turns and 2 decisions."""
    subscribe("acme", "activity")
    send("acme", "agent.turn", 7, agent="support")
    send("acme", "agent.decision", 2)
    send("other", "agent.turn", 3)
    close(vendor)
    return invoices(vendor)[0]


def events_of(vendor: Api, invoice: dict[str, Any], line: int, **parameters: str) -> dict[str, Any]:
    path = f"invoices/{invoice['id']}/lines/{invoice['lines'][line]['id']}/events"
    return vendor.get(path, **parameters).json()


def test_a_line_lists_its_events_page_by_page(vendor: Api, invoice: dict[str, Any]) -> None:
    first = events_of(vendor, invoice, 0, limit="5")
    second = events_of(vendor, invoice, 0, limit="5", cursor=first["next_cursor"])
    ids = [event["id"] for event in first["data"] + second["data"]]
    assert sorted(ids) == [f"acme-agent.turn-e-{i}" for i in range(7)]
    assert second["next_cursor"] is None
    assert {event["type"] for event in events_of(vendor, invoice, 1)["data"]} == {"agent.decision"}


def test_what_came_or_went_after_the_invoice_does_not_change_its_events(
    vendor: Api, invoice: dict[str, Any], send: Make
) -> None:
    before = events_of(vendor, invoice, 0)
    send("acme", "agent.turn", 2, name="late")
    vendor.post("events/void", {"source": "test", "id": "acme-agent.turn-e-0", "reason": "a mistake"})
    after = events_of(vendor, invoice, 0)
    assert [event["id"] for event in after["data"]] == [event["id"] for event in before["data"]]


def test_a_finalized_invoice_and_its_lines_never_change(invoice: dict[str, Any]) -> None:
    stored = Invoice.objects.filter(pk=invoice["id"])
    lines = InvoiceLine.objects.filter(invoice=invoice["id"])
    attempts = [
        lambda: stored.update(total=1, subtotal=1),
        lambda: stored.update(status="draft", number=None),
        lambda: stored.update(number="INV-999999"),
        lambda: lines.update(amount=0),
        lambda: lines.first().delete(),
        lambda: InvoiceLine.objects.bulk_create([_copy(lines.first())]),
    ]
    for attempt in attempts:
        with pytest.raises(IntegrityError, match="never change"), transaction.atomic():
            attempt()


def _copy(line: InvoiceLine | None) -> InvoiceLine:
    assert line is not None
    line.pk, line.position = "inl_copy", 99
    return line


def test_paying_and_voiding_follow_the_states_of_an_invoice(vendor: Api, invoice: dict[str, Any]) -> None:
    path = f"invoices/{invoice['id']}"
    finalize = vendor.post(f"{path}/finalize", {})
    assert (finalize.status_code, finalize.json()["code"]) == (409, "invoice_state")
    paid = vendor.post(f"{path}/pay", {}).json()
    assert (paid["status"], paid["amount_due"], paid["total"]) == ("paid", "0.00", invoice["total"])
    assert vendor.post(f"{path}/pay", {}).json() == paid
    refused = vendor.post(f"{path}/void", {})
    assert (refused.status_code, refused.json()["code"]) == (409, "invoice_state")


def test_a_void_invoice_keeps_its_number_and_its_month_is_not_billed_again(
    vendor: Api, invoice: dict[str, Any]
) -> None:
    void = vendor.post(f"invoices/{invoice['id']}/void", {}).json()
    assert (void["status"], void["number"], void["amount_due"]) == ("void", "INV-000001", "0.00")
    close(vendor)
    assert [i["number"] for i in invoices(vendor)] == ["INV-000001"]


def test_invoices_are_filtered_and_belong_to_their_organization(
    vendor: Api, another_api: Api, invoice: dict[str, Any]
) -> None:
    assert invoices(vendor, customer="acme", status="finalized") == [invoice]
    assert invoices(vendor, status="paid") == []
    assert invoices(vendor, month="2026-09") == []
    assert vendor.get("invoices", customer="nobody").json()["code"] == "customer_not_found"
    assert vendor.get("invoices", status="lost").json()["code"] == "status_invalid"
    assert vendor.get("invoices", month="2026-13").json()["code"] == "month_invalid"
    line = invoice["lines"][0]["id"]
    for path in (f"invoices/{invoice['id']}", f"invoices/{invoice['id']}/lines/{line}/events", "customers/acme"):
        assert another_api.get(path).status_code == 404
    assert vendor.get(f"invoices/{invoice['id']}/lines/inl_nope/events").json()["code"] == "invoice_line_not_found"


def test_lines_add_up_and_their_breakdowns_too(vendor: Api, invoice: dict[str, Any]) -> None:
    from decimal import Decimal

    assert sum(Decimal(line["amount"]) for line in invoice["lines"]) == Decimal(invoice["subtotal"])
    for line in invoice["lines"]:
        exact = sum(Decimal(row["amount"]) for row in line["breakdown"])
        assert exact == Decimal(line["quantity"]) * Decimal(line["unit_amount"])


def test_two_that_close_different_months_at_once_leave_no_gap_and_no_double() -> None:
    vendor = make_api("Busy vendor")
    fee = {"key": "fee", "kind": "fixed", "model": {"type": "flat", "amount": "5"}}
    vendor.post("plans", {"key": "p", "currency": "USD", "prices": [fee]})
    for i in range(30):
        vendor.customer(f"c{i}")
        vendor.post("subscriptions", {"customer": f"c{i}", "plan": "p", "starts_at": "2026-05-01T00:00:00Z"})
    from kernel.period import Month

    failures: list[BaseException] = []

    def work(month: int) -> None:
        try:
            close(vendor, Month(2026, month))
        except Exception as error:
            failures.append(error)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=work, args=(month,)) for month in (5, 6, 7, 5, 6, 7)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    advance_projections()
    assert failures == []
    numbers = sorted(Invoice.objects.values_list("number", flat=True))
    assert numbers == [f"INV-{n:06d}" for n in range(1, 91)]
    assert Invoice.objects.values("subscription", "month").distinct().count() == 90


def test_late_and_taken_back_usage_is_reported_beside_an_invoice_that_stays(
    vendor: Api, invoice: dict[str, Any], send: Make
) -> None:
    path = f"invoices/{invoice['id']}"
    assert vendor.get(f"{path}/late_usage").json() == {"data": []}
    send("acme", "agent.turn", 2, name="late")
    vendor.post("events/void", {"source": "test", "id": "acme-agent.decision-e-0", "reason": "a mistake"})
    reported = {late["price"]: late for late in vendor.get(f"{path}/late_usage").json()["data"]}
    assert {price: late["difference"] for price, late in reported.items()} == {"turns": "2", "decisions": "-1"}
    assert (reported["turns"]["billed_quantity"], reported["turns"]["quantity"]) == ("7", "9")
    assert vendor.get(path).json() == invoice
