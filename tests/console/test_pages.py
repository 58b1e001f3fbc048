"""Every page answers, with data and without, safely and within its organization."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts.facade import create_api_key, create_organization, create_user
from agents.facade import advance_task_summaries
from billing.facade import create_customer, subscribe
from billing.test_clocks.services import create_test_clock
from kernel.clock import system_clock
from metering.facade import EventQuestion, Kept, list_events
from tests.console.conftest import Vendor, make_vendor, signed_in, task_events, turns
from tests.console.test_budgets import a_budget

OCTOBER = "from=2026-10-01&to=2026-10-31"

LISTS = [
    "/",
    f"/?{OCTOBER}",
    "/?period=last_month&timezone=Asia/Kolkata",
    "/?period=last_30_days&agent=desk",
    "/?from=2025-01-01&to=2026-12-31",
    "/customers",
    "/customers?q=birch",
    "/agents",
    "/agent?agent=desk",
    "/agent/tasks?agent=desk",
    "/models",
    f"/models?{OCTOBER}&model=tiny&hardware=cpu&region=eu&currency=EUR",
    "/models.csv",
    "/parts/days",
    "/parts/customer?customer=acme",
    "/parts/money",
    "/parts/costs",
    f"/parts/usage?{OCTOBER}&meter=decisions",
    "/parts/meters",
    "/parts/activity",
    "/parts/meter?meter=turns",
    "/parts/agent?agent=desk",
    "/customers/choices?customer=i",
    "/meters",
    "/plans",
    "/invoices",
    "/invoices?month=2026-10&status=finalized&customer=birch",
    "/ledger",
    "/ledger?month=2026-11",
    "/events",
    "/events?customer=birch&type=agent.turn&agent=desk&from=2026-10-01&to=2026-10-31",
    "/runs",
    "/runs/list",
    "/charts/usage_by_day.csv",
    "/charts/cost_by_day.csv",
    "/charts/money_by_customer.csv",
    "/charts/money_by_plan.csv",
    "/charts/cost_by_agent.csv",
    "/charts/cost_by_model.csv",
    "/charts/cost_by_hardware.csv",
    "/charts/cost_by_region.csv",
    "/charts/compute_by_hardware.csv",
    "/charts/tokens_by_model.csv",
    "/charts/usage_by_customer.csv",
    "/charts/usage_by_agent.csv",
    "/charts/usage_by_plan.csv",
]


def details(vendor: Vendor) -> list[str]:
    """The pages of single things."""
    invoice = vendor.invoice_of("birch")
    line = next(line for line in invoice.lines.all() if line.events)
    event = list_events(EventQuestion(organization_id=vendor.organization.pk), limit=1)[0][0]
    return [
        f"/customers/{invoice.customer_id}",
        f"/invoices/{invoice.pk}",
        f"/invoices/{invoice.pk}/lines/{line.pk}/events",
        f"/events/{event.identity}",
        "/task?id=task-birch",
    ]


@pytest.mark.parametrize("path", LISTS)
def test_every_list_answers_with_data(vendor: Vendor, path: str) -> None:
    assert vendor.client.get(path).status_code == 200


@pytest.mark.parametrize("path", LISTS)
def test_every_list_answers_for_an_organization_with_meters_and_nothing_else(empty: Vendor, path: str) -> None:
    assert empty.client.get(path).status_code == 200


@pytest.mark.parametrize("path", LISTS)
def test_every_list_answers_for_an_organization_without_meters(db: None, path: str) -> None:
    create_organization(name="Bare")
    root = create_user(email="root@example.com", password="x", is_superuser=True)
    assert signed_in(root).get(path).status_code == 200


def test_every_page_of_a_single_thing_answers(vendor: Vendor) -> None:
    assert [vendor.client.get(path).status_code for path in details(vendor)] == [200] * 5


def test_the_pages_of_another_organization_are_not_found(vendor: Vendor) -> None:
    stranger = make_vendor("Stranger")
    assert [stranger.client.get(path).status_code for path in details(vendor)] == [404] * 5
    invoice = vendor.invoice_of("birch")
    assert stranger.client.post(f"/invoices/{invoice.pk}/pay").status_code == 404
    assert vendor.invoice_of("birch").status == "finalized"


def test_lists_hold_nothing_of_another_organization(vendor: Vendor) -> None:
    stranger = make_vendor("Stranger")
    for path in ["/", f"/?{OCTOBER}", "/customers", "/agents", "/invoices", "/events", "/plans", "/runs"]:
        page = stranger.client.get(path).content.decode()
        assert "irch" not in page, path
        assert "INV-" not in page, path


def test_the_first_steps_are_told_where_there_are_no_meters(db: None) -> None:
    create_organization(name="Bare", key="bare")
    root = create_user(email="root@example.com", password="x", is_superuser=True)
    page = signed_in(root).get("/").content.decode()
    assert "/api/v1/meters" in page
    assert "manage.py create_api_key --organization bare" in page


def test_the_first_event_is_told_where_there_is_none(empty: Vendor) -> None:
    assert "/api/v1/events" in empty.client.get("/").content.decode()


def test_names_are_escaped_wherever_they_stand(vendor: Vendor) -> None:
    customer = vendor.invoice_of("acme").customer
    for path in [f"/?{OCTOBER}", "/customers", f"/customers/{customer.pk}", "/invoices", "/plan/activity"]:
        page = vendor.client.get(path).content.decode()
        assert "<script>alert" not in page, path
        assert "Acme &lt;script&gt;alert(1)" in page or "Acme \\u003Cscript" in page, path


def test_hostile_parameters_make_no_server_error(vendor: Vendor) -> None:
    for path in [
        "/?from=yesterday",
        "/?from=2026-10-02&to=2026-10-01",
        "/?from=0001-01-01&to=9999-12-31",
        "/?period=%00",
        "/?timezone=Mars/Olympus",
        "/?customer=%27;--&agent=%25&plan=%22",
        "/?meter=nope",
        "/events?cursor=zzz",
        "/events?cursor=WzFd",
        "/events?from=9999-12-31&to=9999-12-31",
        "/invoices?month=13",
        "/invoices?status=lost",
        "/invoices?cursor=WyJhIl0",
        "/customers?cursor=WyJcdTAwMDAiXQ",
        "/customers?q=%25_%5C",
        "/agent",
        "/task",
        "/events/00000000-0000-0000-0000-000000000000",
        "/charts/nope.csv",
        "/parts/nope",
        "/agent/tasks",
        "/models?model=%00",
        "/models?model=%27;--&region=%25&hardware=x&currency=%22",
        "/customers/choices?customer=%25_%5C%27",
    ]:
        assert vendor.client.get(path).status_code in {200, 404, 422}, path


def test_pages_bring_a_policy_that_runs_no_inline_script(vendor: Vendor) -> None:
    for path in ["/", "/sign-in", "/no-such-page"]:
        policy = vendor.client.get(path).headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy
        assert "script-src 'self';" in policy
        assert "unsafe" not in policy
    page = vendor.client.get("/").content.decode()
    assert "style=" not in page
    assert "onclick" not in page


def test_pages_are_not_kept_by_browsers_or_proxies(vendor: Vendor) -> None:
    assert "no-store" in vendor.client.get("/").headers["Cache-Control"]


def test_an_unknown_address_is_a_page_of_the_console(client: Any, db: None) -> None:
    answer = client.get("/no-such-page")
    assert answer.status_code == 404
    assert "Nothing here" in answer.content.decode()


@pytest.fixture
def on_a_quick_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """What depends on the clock does not: looking through the log takes no time, what is kept is kept for long."""
    monkeypatch.setattr("console.queries.events.SECONDS", 3600.0)
    monkeypatch.setattr("console.queries.events.LOOK", 3600.0)
    for kept in (
        "collection.services.links._offers", "metering.services.protection._kept", "metering.queries.meters._numeric",
    ):  # fmt: skip
        monkeypatch.setattr(kept, Kept(seconds=3600.0))


@pytest.mark.usefixtures("on_a_quick_machine")
def test_the_number_of_queries_does_not_grow_with_customers(committed_vendor: Vendor) -> None:
    vendor = committed_vendor
    paths = [
        "/", f"/?{OCTOBER}", "/?plan=activity", "/?customer=acme", "/?agent=support", "/?model=tiny", "/customers",
        "/agents",
        "/agent?agent=support", "/agent/tasks?agent=support", "/models", "/meters", "/plans", "/invoices", "/events",
        "/events?agent=support", "/tasks", "/runs", "/ledger",
        "/budgets", "/api-keys", "/audit", "/credit-notes", "/plan/activity",
        "/parts/days", "/parts/money", "/parts/costs", "/parts/usage", "/parts/meters", "/parts/activity",
        "/parts/customer?customer=acme",
        "/parts/agent?agent=support", f"/charts/money_by_customer.csv?{OCTOBER}", "/customers/choices",
        *details(vendor),
    ]  # fmt: skip

    def queries(path: str) -> int:
        assert vendor.client.get(path).status_code == 200, path
        with CaptureQueriesContext(connection) as captured:
            vendor.client.get(path)
        return len(captured)

    plan = vendor.invoice_of("acme").subscription.plan_version.plan

    def grow(first: int, end: int) -> None:
        for i in range(first, end):
            vendor.customer(f"more-{i}", plan)
            vendor.record(turns(f"more-{i}", 2, start=system_clock(), agent=f"agent-{i}"))
            vendor.record(task_events(f"more-{i}", start=datetime(2026, 10, 9, tzinfo=UTC)))
            a_budget(vendor, key=f"cap-{i}", scope="customer", customer=f"more-{i}")
            create_api_key(organization=vendor.organization, name=f"more-{i}", customer=f"more-{i}", scopes=["ingest"])
        vendor.close_october()
        advance_task_summaries()

    grow(0, 1)
    with_three = {path: queries(path) for path in paths}
    grow(1, 28)
    assert {path: queries(path) for path in paths} == with_three
    # The overview's have most, then a customer's: its open month is priced once, usage stands beside that before, spend
    # is net of credit notes, and budgets come along.
    assert max(with_three.values()) <= 61


def test_going_from_one_page_of_figures_to_another_keeps_the_period(vendor: Vendor) -> None:
    page = vendor.client.get("/?period=custom&from=2026-10-01&to=2026-10-31&agent=desk").content.decode()
    for there in ("/agents", "/models", "/meters"):
        assert f'href="{there}?period=custom&amp;from=2026-10-01&amp;to=2026-10-31"' in page
    assert 'href="/invoices"' in page
    assert 'href="/agents"' in vendor.client.get("/tasks?from=2026-10-01").content.decode()


def test_what_agents_did_leads_to_their_tasks_in_the_period(vendor: Vendor) -> None:
    page = vendor.client.get("/agents?from=2026-10-01&to=2026-10-31&customer=birch").content.decode()
    there = "/tasks?agent=support&amp;from=2026-10-01&amp;to=2026-10-31&amp;customer=birch"
    assert f'<a href="{there}">' in page
    assert vendor.client.get(there.replace("&amp;", "&")).status_code == 200


_READ_BY_PRICING = ("billing_couponredemption", "billing_oneoffcharge", "billing_lateusage", "metering_namedusage")


def test_the_page_of_a_customer_prices_its_open_period_once(committed_vendor: Vendor) -> None:
    vendor = committed_vendor
    path = f"/customers/{vendor.invoice_of('acme').customer_id}"
    vendor.client.get(path)
    with CaptureQueriesContext(connection) as page:
        assert "Upcoming invoice" in vendor.client.get(path).content.decode()
    asked = Counter(
        table for one in page.captured_queries for table in _READ_BY_PRICING if f'FROM "{table}"' in one["sql"]
    )
    assert asked == dict.fromkeys(_READ_BY_PRICING, 1)
    assert len(page) <= 51


def test_the_page_of_a_customer_on_a_test_clock_shows_the_period_of_the_clock(vendor: Vendor) -> None:
    clock = create_test_clock(organization=vendor.organization, now=datetime(2031, 5, 1, tzinfo=UTC))
    customer = create_customer(organization=vendor.organization, key="later", test_clock=clock)
    plan = vendor.invoice_of("acme").subscription.plan_version.plan
    subscribe(customer=customer, plan=plan, starts_at=clock.now)
    page = vendor.client.get(f"/customers/{customer.pk}").content.decode()
    assert "Total so far" in page
    assert "2031" in page.partition("Upcoming invoice")[2].partition("so far")[0]
