"""The numbers of the dashboards, worked out by hand."""

from __future__ import annotations

import csv
import io
from datetime import UTC, datetime

from metering.facade import EventQuestion, list_events
from tests.console.conftest import Vendor, turns
from tests.console.test_invoices import text

OCTOBER = "from=2026-10-01&to=2026-10-31"


def rows(vendor: Vendor, chart: str, query: str = OCTOBER) -> list[list[str]]:
    answer = vendor.client.get(f"/charts/{chart}.csv?{query}")
    assert answer.headers["Content-Type"] == "text/csv; charset=utf-8"
    return list(csv.reader(io.StringIO(answer.content.decode())))


def test_usage_by_day_and_agent(vendor: Vendor) -> None:
    table = rows(vendor, "usage_by_day")
    assert table[0] == ["Day", "desk (turn)", "support (turn)"]
    assert [row for row in table[1:] if row[1:] != ["0", "0"]] == [
        ["5 Oct", "0", "3"],
        ["6 Oct", "502", "0"],
        ["7 Oct", "0", "1"],
    ]


def test_days_are_those_of_the_time_zone(vendor: Vendor) -> None:
    vendor.record(turns("acme", 1, start=datetime(2026, 10, 9, 22, 30, tzinfo=UTC), agent="late"))
    table = rows(vendor, "usage_by_day", f"{OCTOBER}&timezone=Europe/Berlin&agent=late")
    assert ["10 Oct", "1"] in table


def test_money_by_customer_is_billed_beside_cost(committed_vendor: Vendor) -> None:
    table = rows(committed_vendor, "money_by_customer")
    assert table[0] == ["Customer", "Billed (USD)", "Cost (USD)"]
    assert [row[1:] for row in table[1:]] == [["50.87", "0.25"], ["0.15", "0"]]


def test_money_by_plan_follows_the_invoices(committed_vendor: Vendor) -> None:
    assert rows(committed_vendor, "money_by_plan")[1:] == [["Hybrid", "50.87", "0.25"], ["Agent activity", "0.15", "0"]]


def test_usage_by_plan_is_that_of_its_customers(vendor: Vendor) -> None:
    assert rows(vendor, "usage_by_plan")[1:] == [["Hybrid", "503"], ["Agent activity", "3"]]


def test_a_plan_leaves_its_customers(vendor: Vendor) -> None:
    assert [row[1] for row in rows(vendor, "usage_by_customer", f"{OCTOBER}&plan=activity")[1:]] == ["3"]


def test_void_invoices_are_not_billed(vendor: Vendor) -> None:
    vendor.client.post(f"/invoices/{vendor.invoice_of('birch').pk}/void")
    assert [row[0] for row in rows(vendor, "money_by_plan")[1:] if row[1] != "0"] == ["Agent activity"]


def test_the_tiles_of_a_closed_month(committed_vendor: Vendor) -> None:
    page = text(committed_vendor.client.get(f"/?{OCTOBER}").content)
    assert "Billed $51.02 $51.02 issued" in page
    assert "Vendor cost $0.25" in page
    assert "Margin $50.77 99.5%, Oct 2026" in page  # 51.02 - 0.25, of 51.02
    assert "Tasks 1 100% succeeded" in page.replace("100.0%", "100%")
    assert "Turns 506" in page
    assert "Compute seconds 250" in page


def test_nothing_is_billed_by_the_agent(vendor: Vendor) -> None:
    assert "invoices are not split by agent" in text(vendor.client.get(f"/?{OCTOBER}&agent=desk").content)


def test_text_that_a_spreadsheet_would_run_is_made_text(vendor: Vendor) -> None:
    vendor.record(turns("birch", 1, start=datetime(2026, 10, 8, tzinfo=UTC), agent="=HYPERLINK(1)"))
    assert ["'=HYPERLINK(1)", "1"] in rows(vendor, "usage_by_agent")


def test_agents_with_their_success_and_cost(committed_vendor: Vendor) -> None:
    page = text(committed_vendor.client.get(f"/agents?{OCTOBER}").content)
    assert "desk 0 0 \u2013 502 \u2013 0 0 $0.00 \u2013" in page
    assert "support 1 1 100.0% 4 4 1 250 $0.25 $0.25" in page


def test_a_customer_shows_the_upcoming_invoice_of_the_open_month(vendor: Vendor) -> None:
    customer = vendor.invoice_of("birch").customer
    page = text(vendor.client.get(f"/customers/{customer.pk}").content)
    assert "Upcoming invoice, Hybrid" in page
    assert "Total so far $49.00" in page


def test_a_task_is_a_tree_of_what_happened(vendor: Vendor) -> None:
    page = text(vendor.client.get("/task?id=task-birch").content)
    assert "Outcome succeeded" in page
    assert "Tokens in / out 410 / 58" in page
    order = [page.index(part) for part in ("Turn 1", "Inference call tiny", "Decision refund", "Tool call bank")]
    assert order == sorted(order)


def test_a_task_that_has_not_ended_is_shown_too(vendor: Vendor) -> None:
    assert "not ended" in text(vendor.client.get("/task?id=acme-1005").content)


def test_events_are_found_by_task_and_page_on(vendor: Vendor) -> None:
    page = vendor.client.get("/events?task=birch-1006").content.decode()
    assert page.count("<tr>") == 51  # the head and fifty events
    assert "Load 50 more" in page


def test_an_event_shows_its_data(vendor: Vendor) -> None:
    question = EventQuestion(organization_id=vendor.organization.pk, type="inference.call")
    [event] = list_events(question, limit=10)[0]
    page = vendor.client.get(f"/events/{event.identity}").content.decode()
    assert "&quot;compute_seconds&quot;: &quot;250&quot;" in page


def test_plans_say_their_prices_in_words(vendor: Vendor) -> None:
    page = text(vendor.client.get("/plans").content)
    assert "$0.05 per turn" in page
    assert "$49.00 per month" in page
    assert "first 500 turns included" in page
    assert "over 100 $0.005" in page
