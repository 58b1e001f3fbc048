"""What models and hardware cost, what an agent's tasks came to, and all that there is of a customer."""

from __future__ import annotations

import csv
import io
from datetime import UTC, datetime
from decimal import Decimal

from agents.facade import advance_task_summaries
from billing.credits.grants import grant_credit
from billing.facade import change_seats, get_customer, subscriptions_of
from budgets.facade import create_budget
from kernel.clock import system_clock
from tests.console.conftest import Vendor, task_events
from tests.console.test_invoices import text

OCTOBER = "from=2026-10-01&to=2026-10-31"


def test_models_hardware_and_regions_stand_in_tables(committed_vendor: Vendor) -> None:
    events = task_events("acme", start=datetime(2026, 10, 9, tzinfo=UTC), agent="desk")
    events[0]["data"] |= {"model": "large", "hardware": "l4", "region": "eu", "cost": "0.75"}
    committed_vendor.record(events)
    advance_task_summaries()
    page = text(committed_vendor.client.get(f"/models?{OCTOBER}").content)
    # Model, tasks, calls, tokens in and out, compute seconds, cost, share, cost per task.
    assert "large 1 1 410 58 250 $0.75 75.0% $0.75" in page
    assert "tiny 1 1 410 58 250 $0.25 25.0% $0.25" in page
    assert "l4 1 1 410 58 250 $0.75" in page
    assert "(not named) 1 1 410 58 250 $0.25" in page
    of_region = text(committed_vendor.client.get(f"/models?{OCTOBER}&region=eu").content)
    assert "large 1 1" in of_region
    assert "tiny" not in of_region.split("By model")[1]
    overview = text(committed_vendor.client.get(f"/?{OCTOBER}&model=tiny").content)
    assert "Vendor cost $0.25" in overview
    assert "invoices are not split by model, hardware or region" in overview
    rows = list(csv.reader(io.StringIO(committed_vendor.client.get(f"/models.csv?{OCTOBER}").content.decode())))
    assert rows[1][:5] == ["large", "l4", "eu", "1", "1"]
    assert [row[-2] for row in rows[1:]] == ["0.75", "0.25"]


def test_figures_stand_beside_those_of_the_stretch_before(committed_vendor: Vendor) -> None:
    committed_vendor.record(task_events("acme", start=datetime(2026, 9, 9, tzinfo=UTC)))
    advance_task_summaries()
    page = text(committed_vendor.client.get(f"/?{OCTOBER}").content)
    assert "Vendor cost $0.25 work in the period +0.0% on 1 Sep \u2013 30 Sep 2026" in page
    assert "Turns 506 506 per task +50,500.0% on" in page.replace("+50500.0%", "+50,500.0%")
    # One turn, one decision and one success, upcoming in no month that is open.
    meters = text(committed_vendor.client.get(f"/parts/meters?{OCTOBER}").content)
    assert "Turns 506 turn 1" in meters


def test_invoices_that_wait_are_counted(committed_vendor: Vendor) -> None:
    page = text(committed_vendor.client.get("/").content)
    assert "Drafts \u2013 none" in page
    assert "Open invoices $51.02 2 invoices, still due" in page


def test_a_currency_leaves_what_is_in_others(committed_vendor: Vendor) -> None:
    page = text(committed_vendor.client.get(f"/?{OCTOBER}&currency=eur").content)
    assert "Vendor cost €0.00" in page
    assert "Billed €0.00" in page


def test_an_agent_shows_outcomes_charges_and_its_dearest_tasks(committed_vendor: Vendor) -> None:
    committed_vendor.record(task_events("acme", start=datetime(2026, 10, 9, tzinfo=UTC)))
    advance_task_summaries()
    page = text(committed_vendor.client.get(f"/agent?agent=support&{OCTOBER}").content)
    assert "Cost per task $0.25 2 tasks" in page
    assert "Charge per task" in page
    part = text(committed_vendor.client.get(f"/agent/tasks?agent=support&{OCTOBER}").content)
    assert "succeeded 2" in part
    assert "task-acme 4 s" in part
    assert "task-acme $0.25 $1.05" in part


def test_a_customer_shows_its_subscriptions_history_credit_and_budgets(committed_vendor: Vendor) -> None:
    vendor = committed_vendor
    customer = get_customer(organization_id=vendor.organization.pk, customer="birch")
    subscription = subscriptions_of(vendor.organization.pk).get(customer=customer)
    change_seats(subscription=subscription, seats=7, when="now", now=datetime(2026, 10, 5, 12, tzinfo=UTC))
    grant_credit(
        customer=customer,
        name="Welcome",
        amount=Decimal(20),
        currency="USD",
        effective_at=datetime(2026, 11, 1, tzinfo=UTC),
        now=system_clock(),
    )
    create_budget(
        organization=vendor.organization,
        key="birch-limit",
        name="Limit of Birch",
        scope="customer",
        customer="birch",
        measure={"money": "spend"},
        amount=Decimal(100),
        period="billing_period",
        thresholds=[{"percent": "80", "actions": ["mail"], "recipients": ["ops@example.com"]}],
    )
    page = text(vendor.client.get(f"/customers/{customer.pk}").content)
    assert "1 Sep 2026 Began on Hybrid, version 1" in page
    assert "5 Oct 2026 Changed to 7 seats" in page
    assert "Welcome never $20.00 $20.00" in page
    assert "Limit of Birch" in page


def test_customers_are_found_by_what_is_typed(committed_vendor: Vendor) -> None:
    page = committed_vendor.client.get("/customers/choices?customer=IRCH").content.decode()
    assert page.strip() == '<option value="birch">Birch &amp; Sons</option>'
    assert "birch" in committed_vendor.client.get("/customers/choices").content.decode()
