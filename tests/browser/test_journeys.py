"""What people come for, from the sign-in on, in a real browser."""

from __future__ import annotations

import re
from datetime import UTC, datetime

from django.db import transaction
from playwright.sync_api import Page, expect

from billing.facade import create_plan, get_plan, newest_version, start_billing_run, subscribe
from billing.invoicing.runs import BATCH, plan_billing_run
from billing.tasks import work_run
from budgets.facade import get_budget
from kernel.clock import system_clock
from kernel.period import Month
from tests.browser.axe import assert_accessible
from tests.browser.conftest import BrowserAs
from tests.browser.site import Site
from tests.console.conftest import PASSWORD, Vendor, make_vendor


def test_somebody_signs_in_finds_a_customer_and_follows_a_number_to_its_events(
    site: Site, browser_as: BrowserAs
) -> None:
    page = browser_as(None)
    page.goto("/customers")
    page.get_by_label("E-mail address").fill(site.vendor.user.email)
    page.get_by_label("Password").fill(PASSWORD)
    page.keyboard.press("Enter")
    page.get_by_label("Name or key").fill("birch")
    page.keyboard.press("Enter")
    expect(page.get_by_role("region", name="Customers").get_by_role("row")).to_have_count(2)  # with its head
    page.get_by_role("link", name="Birch & Sons").click()
    page.get_by_role("link", name=re.compile("^INV-")).first.click()
    line = page.locator("details.line", has_text="Turns")
    assert "503" in line.inner_text()
    line.locator("summary").click()
    assert "$0.12" in line.inner_text()  # 3 turns beyond 500, at 0.04
    line.locator(".events table tbody tr").first.wait_for()
    assert_accessible(page)
    line.locator(".events table tbody a", has_text="birch-1006/turn-1").first.click()
    expect(page.get_by_role("heading", name="agent.turn")).to_be_visible()
    assert '"turn_id": "birch-1006/turn-1"' in page.locator("main").inner_text()


def test_a_plan_is_made_and_its_curve_seen_while_it_is_typed(site: Site, browser_as: BrowserAs) -> None:
    vendor = make_vendor("Plans in a browser")
    page = browser_as(vendor.user)
    page.goto("/plans/new")
    page.get_by_label("Name", exact=True).first.fill("Growth")
    page.get_by_label("Key", exact=True).first.fill("growth")
    page.get_by_role("region", name="Base fee").get_by_label("Amount").fill("20")
    usage = page.get_by_role("region", name="usage")
    usage.get_by_label("Meter").fill("turns")
    usage.get_by_label("Pricing model").select_option("graduated")
    usage.get_by_label("Up to").fill("100")
    usage.get_by_label("Price per unit").nth(0).fill("0.10")
    usage.get_by_label("Price per unit").nth(1).fill("0.05")
    page.locator("[data-curve][data-drawn='1']").wait_for()
    page.get_by_text("Table", exact=False).first.click()
    drawn = page.locator("#plan-preview table")
    expect(drawn.get_by_role("row", name="1,000 $75.00")).to_be_visible()  # 20, 100 at 0.10, 900 at 0.05
    assert_accessible(page)
    page.get_by_role("button", name="Make the plan").click()
    expect(page.get_by_text("Growth is made.")).to_be_visible()
    page.locator("[data-curve][data-drawn='1']").wait_for()
    version = newest_version(get_plan(organization_id=vendor.organization.pk, plan="growth"))
    assert [one.key for one in version.prices.all()] == ["base", "usage"]


def test_a_form_asks_only_what_goes_with_what_was_chosen(site: Site, browser_as: BrowserAs) -> None:
    vendor = make_vendor("Budgets in a browser")
    page = browser_as(vendor.user)
    page.goto("/budgets/new")
    expect(page.get_by_label("Customer")).to_be_hidden()
    page.get_by_label("On", exact=True).select_option("cost")
    expect(page.get_by_label("Meter", exact=True)).to_be_hidden()
    page.get_by_label("Of", exact=True).select_option("agent")
    page.get_by_label("Agent").fill("desk")
    page.get_by_label("Name").fill("The desk's cost")
    page.get_by_label("Key").fill("desk-cost")
    page.get_by_label("Amount or quantity").fill("250")
    assert_accessible(page)
    page.get_by_role("button", name="Make it").click()
    expect(page.get_by_text("The budget is made.")).to_be_visible()
    made = get_budget(organization_id=vendor.organization.pk, budget="desk-cost")
    assert (made.agent, made.measure, made.currency) == ("desk", "cost", "USD")


def test_a_part_of_a_page_that_does_not_come_is_told(site: Site, browser_as: BrowserAs) -> None:
    page = browser_as(site.vendor.user)
    page.route("**/parts/money*", lambda route: route.fulfill(status=500, body="broken"))
    page.route("**/runs/health", lambda route: route.abort())
    page.goto("/")
    expect(page.get_by_role("alert")).to_have_text(
        "A part of this page could not be loaded. Reload it, or follow the part's link."
    )
    expect(page.get_by_role("heading", name="Turns by customer")).to_be_visible()  # the others are there
    assert page.get_by_role("alert").count() == 1
    assert_accessible(page)
    page.goto("/runs")
    expect(page.get_by_role("alert")).to_contain_text("The server does not answer.")
    page.unroute("**/runs/health")
    expect(page.get_by_role("alert")).to_have_count(0, timeout=30_000)  # it is asked for again


def test_closing_a_month_shows_its_progress_which_survives_a_reload(site: Site, browser_as: BrowserAs) -> None:
    vendor = _vendor_of_two_batches()
    now = system_clock()
    # Where it stands still is between its two batches: the second is held, as by a worker that is slow.
    run = start_billing_run(organization=vendor.organization, month=Month(2026, 10), now=now)
    plan_billing_run(run=run, now=now)
    page = browser_as(vendor.user)
    page.goto("/runs")
    with transaction.atomic():
        held = run.batches.select_for_update().order_by("position").last()
        assert held is not None
        page.locator("summary", has_text="Close a month").click()
        page.get_by_label("Month", exact=True).fill("2026-10")
        page.get_by_role("button", name="Close month").click()
        expect(page.get_by_text("Closing Oct 2026 has started.")).to_be_visible()
        _expect_progress(page, status="running", done=BATCH)
        page.reload()
        _expect_progress(page, status="running", done=BATCH)
        assert page.get_by_text("Closing Oct 2026 has started.").count() == 0
    work_run(run_id=run.pk)
    _expect_progress(page, status="succeeded", done=BATCH + 1)  # the page asks by itself
    assert page.locator("#runs[hx-get]").count() == 0  # and now no more
    page.locator("#signs table").wait_for()
    assert_accessible(page)


def _expect_progress(page: Page, *, status: str, done: int) -> None:
    row = page.get_by_role("row", name="Oct 2026")
    expect(row).to_contain_text(status)
    expect(row).to_contain_text(f"{done} of {BATCH + 1}")
    bar = page.get_by_role("progressbar", name="Progress of closing Oct 2026")
    expect(bar).to_have_js_property("value", done)


def _vendor_of_two_batches() -> Vendor:
    """One customer more than one batch of a run takes, all on a plan of $10 a month."""
    vendor = make_vendor("Runs in a browser")
    fee = {"key": "base", "kind": "fixed", "model": {"type": "flat", "amount": "10"}}
    plan = create_plan(organization=vendor.organization, key="flat", currency="USD", prices=[fee])
    for i in range(BATCH + 1):
        subscribe(customer=vendor.customer(f"c{i}"), plan=plan, starts_at=datetime(2026, 10, 1, tzinfo=UTC))
    return vendor
