"""Merging: usage goes over, each event is charged once, and what is in the way has a name."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from billing.facade import cancel_subscription, close_month, get_customer
from billing.invariants import check_all
from billing.models import InvoiceLine, Subscription
from kernel.period import Month
from privacy.facade import merge_customers, settle_merges
from tests.api import Api, make_api
from tests.examples import examples

SPAN = {"from": "2026-10-01T00:00:00Z", "to": "2026-11-01T00:00:00Z"}
NOW = datetime(2026, 10, 20, tzinfo=UTC)


def send(api: Api, subject: str, *days: int, mark: str = "") -> dict[str, Any]:
    events = [
        {"specversion": "1.0", "id": f"{subject}-{day}{mark}", "source": "test", "type": "agent.turn",
         "subject": subject, "time": f"2026-10-{day:02d}T10:00:00Z", "data": {"task_id": str(day)}}
        for day in days
    ]  # fmt: skip
    return dict(api.post("events", events).json()) if events else {}


def used(api: Api, customer: str) -> int:
    answer = api.get("meters/turns/usage", **SPAN, customer=customer)
    assert answer.status_code == 200, answer.content
    return sum(int(row["quantity"]) for row in answer.json()["data"])


def furnish(api: Api) -> None:
    api.meter("turns", event_type="agent.turn", aggregation="count")
    price = {"key": "turns", "kind": "usage", "meter": "turns", "model": {"type": "per_unit", "unit_amount": "1"}}
    assert api.post("plans", {"key": "plan", "currency": "USD", "prices": [price]}).status_code == 201
    for key in ("old", "new"):
        api.customer(key)


def subscribe(api: Api, customer: str, starts_at: str = "2026-10-01T00:00:00Z") -> None:
    body = {"customer": customer, "plan": "plan", "starts_at": starts_at}
    assert api.post("subscriptions", body).status_code == 201


def merge(api: Api, **fields: Any) -> Any:
    return api.post("customers/old/merge", {"into": "new", **fields})


def of(api: Api, key: str) -> Any:
    return get_customer(organization_id=api.organization.pk, customer=key)


@pytest.fixture
def merging(api: Api) -> Api:
    furnish(api)
    return api


def test_usage_of_a_merged_customer_counts_for_the_other_and_what_comes_later_too(merging: Api) -> None:
    subscribe(merging, "new")
    send(merging, "old", 1, 2, 3)
    send(merging, "new", 4)
    asked = merge(merging, preview=True).json()
    assert (asked["events"], asked["is_done"], used(merging, "old")) == (3, False, 3)
    done = merge(merging)
    assert (done.status_code, done.json()["events"], done.json()["is_done"]) == (200, 3, True)
    assert (used(merging, "old"), used(merging, "new")) == (0, 4)
    assert send(merging, "old", 1, 2, 3)["duplicates"] == 3  # sent again, they are what they were
    assert send(merging, "old", 7)["accepted"] == 1
    assert used(merging, "new") == 5
    again = merge(merging).json()
    assert (again["events"], again["is_done"], used(merging, "new")) == (0, True, 5)
    close_month(organization=merging.organization, month=Month(2026, 10), now=datetime(2026, 11, 2, tzinfo=UTC))
    [invoice] = merging.get("invoices").json()["data"]
    assert (invoice["customer"], invoice["total"]) == ("new", "5.00")
    [entry] = merging.get("audit_entries", action="customer.merge").json()["data"]
    assert (entry["detail"]["events"], entry["detail"]["into"]) == (3, of(merging, "new").pk)
    shown = merging.get("customers/old").json()
    assert shown["merged_into"] == of(merging, "new").pk
    assert merging.patch("customers/old", {"name": "x"}).json()["code"] == "customer_merged"


@pytest.mark.django_db(transaction=True)
def test_events_that_a_subscription_of_its_own_bills_stay(merging: Api) -> None:
    subscribe(merging, "new")
    subscribe(merging, "old")
    send(merging, "old", 1, 2, 12, 13)
    cancel_subscription(
        subscription=Subscription.objects.get(customer__key="old"), ends_at=datetime(2026, 10, 10, tzinfo=UTC), now=NOW
    )
    done = merge_customers(customer=of(merging, "old"), into=of(merging, "new"), now=NOW)
    assert (done.events, used(merging, "old"), used(merging, "new")) == (2, 2, 2)
    close_month(organization=merging.organization, month=Month(2026, 10), now=datetime(2026, 11, 2, tzinfo=UTC))
    totals = {one["customer"]: one["total"] for one in merging.get("invoices").json()["data"]}
    assert totals == {"old": "2.00", "new": "2.00"}
    assert {name: broken for name, broken in check_all(merging.organization.pk) if broken} == {}


def test_everything_that_stands_in_the_way_is_named_at_once(merging: Api) -> None:
    subscribe(merging, "old")
    merging.post("credit_grants", {"customer": "old", "name": "x", "amount": "1", "currency": "USD"})
    merging.customer("euro", currency="EUR")
    answer = merging.post("customers/old/merge", {"into": "euro"})
    assert answer.status_code == 409
    codes = [one["code"] for one in answer.json()["errors"]]
    assert codes == ["currency_differs", "subscription_active", "credit_left"]
    preview = merging.post("customers/old/merge", {"into": "euro", "preview": True}).json()
    assert [one["code"] for one in preview["conflicts"]] == codes
    assert merging.post("customers/old/merge", {"into": "old"}).json()["code"] == "same_customer"
    assert merging.post("customers/old/merge", {"into": "nobody"}).status_code == 404


def test_an_event_that_was_on_its_way_during_the_merge_goes_over_when_merges_are_settled(merging: Api) -> None:
    merge_customers(customer=of(merging, "old"), into=of(merging, "new"), now=NOW)
    from metering.services.protection import _kept

    _kept.forget_all()
    from metering.models import SubjectAlias

    aliases = list(SubjectAlias.objects.all())
    SubjectAlias.objects.all().delete()  # as another process still sees it
    send(merging, "old", 5)
    SubjectAlias.objects.bulk_create(aliases)
    assert used(merging, "old") == 1
    assert settle_merges(now=NOW + timedelta(minutes=1)) == 1
    assert (used(merging, "old"), used(merging, "new")) == (0, 1)


NUMBERS = count()
DAYS = st.sets(st.integers(1, 28), max_size=6)


@pytest.mark.django_db
@settings(max_examples=examples(4, thorough=60), suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(old=DAYS, new=DAYS, late=DAYS, covered_until=st.integers(1, 28) | st.none())
def test_no_merge_changes_what_is_used_or_charged_in_all(
    old: set[int], new: set[int], late: set[int], covered_until: int | None
) -> None:
    api = make_api(f"Vendor {next(NUMBERS)}")
    furnish(api)
    subscribe(api, "new")
    if covered_until is not None:
        subscribe(api, "old")
        ends_at = datetime(2026, 10, covered_until, 12, tzinfo=UTC)
        cancel_subscription(subscription=Subscription.objects.get(customer=of(api, "old")), ends_at=ends_at, now=NOW)
    send(api, "old", *old)
    send(api, "new", *new)
    merge_customers(customer=of(api, "old"), into=of(api, "new"), now=datetime(2026, 10, 29, tzinfo=UTC))
    send(api, "old", *late, mark="late")
    total = len(old) + len(new) + len(late)
    assert used(api, "old") + used(api, "new") == total
    close_month(organization=api.organization, month=Month(2026, 10), now=datetime(2026, 11, 2, tzinfo=UTC))
    lines = InvoiceLine.objects.filter(invoice__organization=api.organization, role="charge")
    assert sum(line.quantity for line in lines) == total  # each event behind one line
    assert sum(line.amount for line in lines) == total
