"""What is kept of many subscriptions, and looking for events that are rare in a long log."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from billing.facade import OpenAmounts, Subscription, open_amounts, open_months, refresh_open_revenue
from billing.invoicing import open_revenue
from billing.models import OpenRevenue
from console.queries.events import search_events
from kernel.clock import system_clock
from metering.facade import EventQuestion
from tests.console.conftest import Vendor, turns
from tests.console.test_invoices import text


@pytest.fixture
def large(committed_vendor: Vendor, monkeypatch: pytest.MonkeyPatch) -> Vendor:
    """Two subscriptions are too many here."""
    monkeypatch.setattr(open_revenue, "PRICED_AT_ONCE", 1)
    return committed_vendor


def kept(vendor: Vendor) -> OpenAmounts:
    subscriptions = Subscription.objects.filter(organization=vendor.organization)
    return open_amounts(subscriptions, open_months(system_clock())[1:], at_once=1)


def test_what_is_upcoming_is_kept_and_says_when_it_was_worked_out(large: Vendor) -> None:
    page = text(large.client.get("/").content)
    assert "2 subscriptions are being worked out" in page
    assert refresh_open_revenue(now=system_clock()) == 2
    page = text(large.client.get("/").content)
    # The base fee of birch; acme pays by use.
    assert "Billed $49.00 $49.00 upcoming as of" in page
    assert refresh_open_revenue(now=system_clock()) == 0


def test_only_those_whose_usage_changed_are_priced_again(large: Vendor) -> None:
    refresh_open_revenue(now=system_clock())
    large.record(turns("acme", 4, start=system_clock() - timedelta(minutes=1)))
    assert sorted(str(one.net) for one in kept(large).rows) == ["0.00", "49.00"]
    assert refresh_open_revenue(now=system_clock()) == 1
    assert sorted(str(one.net) for one in kept(large).rows) == ["0.20", "49.00"]
    OpenRevenue.objects.update(priced_at=system_clock() - timedelta(days=1))
    assert refresh_open_revenue(now=system_clock()) == 2


def test_what_is_kept_comes_to_the_same_summed_up_and_one_by_one(large: Vendor) -> None:
    large.record(turns("acme", 4, start=system_clock() - timedelta(minutes=1)))
    refresh_open_revenue(now=system_clock())
    [broken] = OpenRevenue.objects.filter(subscription__customer__key="acme")
    subscriptions, months = (
        Subscription.objects.filter(organization=large.organization),
        open_months(system_clock())[1:],
    )
    each = open_amounts(subscriptions, months, at_once=1)
    summed = open_amounts(subscriptions, months, at_once=1, is_summed=True)
    assert sorted((one.customer, str(one.net)) for one in each.rows) == [("acme", "0.20"), ("birch", "49.00")]
    assert [(one.customer, str(one.net), one.count) for one in summed.rows] == [("", "49.20", 2)]
    assert (summed.as_of, summed.missing) == (each.as_of, each.missing)
    broken.months = {month: {"problem": "no price"} for month in broken.months}
    broken.save()
    summed = open_amounts(subscriptions, months, at_once=1, is_summed=True)
    assert sorted((one.customer, str(one.net), one.problem) for one in summed.rows) == [
        ("", "49.00", ""),
        ("acme", "0", "no price"),
    ]


def test_a_month_that_was_invoiced_since_is_not_counted_twice(large: Vendor) -> None:
    refresh_open_revenue(now=system_clock())
    invoice = large.invoice_of("birch")
    month = open_months(system_clock())[1]
    # As if the open month had been closed since.
    invoice.pk, invoice.month, invoice.number, invoice.period_start = "inv_later", str(month), None, system_clock()
    invoice.created_at = system_clock()
    invoice.status = "draft"
    invoice.save(force_insert=True)
    assert [str(one.net) for one in kept(large).rows] == ["0.00"]


def test_what_many_customers_of_a_plan_did_is_asked_for_by_itself(
    committed_vendor: Vendor, monkeypatch: pytest.MonkeyPatch
) -> None:
    client, plan = committed_vendor.client, committed_vendor.invoice_of("birch").subscription.plan_version.plan.key
    at_once = text(client.get(f"/?plan={plan}").content)
    monkeypatch.setattr("console.views.overview._MANY_CUSTOMERS", 0)
    page = client.get(f"/?plan={plan}").content.decode()
    assert f"/parts/activity?period=this_month&amp;plan={plan}" in page
    assert "Billed" in text(page.encode())
    later = text(client.get(f"/parts/activity?plan={plan}", headers={"HX-Request": "true"}).content).strip()
    assert later.startswith("Tasks ")
    assert later in at_once


def test_one_customer_is_priced_at_once(large: Vendor) -> None:
    assert "Billed $49.00 $49.00 upcoming" in text(large.client.get("/?customer=birch").content)


def test_rare_events_are_looked_for_piece_by_piece(committed_vendor: Vendor) -> None:
    vendor = committed_vendor
    vendor.record(turns("acme", 1, start=datetime(2026, 8, 1, tzinfo=UTC), agent="rare"))
    question = EventQuestion(organization_id=vendor.organization.pk, data={"agent": "rare"})
    ticks = iter(range(10_000))
    pages, cursor = 0, None
    while True:
        # Each look at the clock is a second later: one piece a page.
        found = search_events(question, limit=50, cursor=cursor, now=system_clock(), clock=lambda: float(next(ticks)))
        pages += 1
        cursor = found.next_cursor
        if found.events or cursor is None:
            break
        assert found.looked_back_to is not None
    assert pages > 5
    assert [event.data["agent"] for event in found.events] == ["rare"]


def test_a_page_says_how_far_it_has_looked(committed_vendor: Vendor, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("console.queries.events.SECONDS", -1.0)
    page = text(committed_vendor.client.get("/events?agent=nobody").content)
    assert "No event fits these filters back to" in page
    assert "Look further back" in page


def test_all_events_of_a_type_are_found_once(committed_vendor: Vendor, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("console.queries.events.SECONDS", -1.0)
    question = EventQuestion(organization_id=committed_vendor.organization.pk, type="agent.turn")
    identities, cursor = [], None
    while True:
        found = search_events(question, limit=50, cursor=cursor, now=system_clock())
        identities += [event.identity for event in found.events]
        cursor = found.next_cursor
        if cursor is None:
            break
    assert len(identities) == len(set(identities)) == 506


def test_the_events_of_a_task_are_found_by_when_it_was_at_work(committed_vendor: Vendor) -> None:
    found = search_events(
        EventQuestion(organization_id=committed_vendor.organization.pk, data={"task_id": "task-birch"}),
        limit=50,
        cursor=None,
        now=system_clock(),
    )
    assert (len(found.events), found.next_cursor) == (5, None)
