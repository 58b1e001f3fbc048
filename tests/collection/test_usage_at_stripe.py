"""Usage of those whom Stripe invoices: each hour's quantity counts there once, whatever happens on the way."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from billing.facade import Customer
from collection.models import UsagePush
from collection.services.customers import change_customer
from collection.services.usage import (
    MeterNotAdditive,
    StripeMeterExists,
    map_meter,
    push_usage,
)
from kernel.clock import to_rfc3339
from metering.facade import create_meter, ingest, void_event
from tests.collection.stripe_fake import Fault
from tests.collection.vendor import Vendor

pytestmark = pytest.mark.django_db

PUSH = "POST /v1/billing/meter_events"


@pytest.fixture
def customer(vendor: Vendor) -> Customer:
    """Invoiced at Stripe, with a meter of turns that feeds `agent_turns` there from a day ago on."""
    definition = {"event_type": "agent.turn", "aggregation": "count"}
    create_meter(organization_id=vendor.organization.pk, key="turns", name="Turns", definition=definition)
    vendor.fake.add_meter("agent_turns")
    made = vendor.customer()
    change_customer(customer=made, is_invoiced_at_stripe=True)
    map_meter(
        organization_id=vendor.organization.pk, meter="turns", event_name="agent_turns", since=hour(vendor) - DAY * 3
    )
    return made


DAY = timedelta(days=1)


def hour(vendor: Vendor) -> datetime:
    return vendor.now.astimezone(UTC).replace(minute=0, second=0, microsecond=0)


def turns(vendor: Vendor, count: int, at: datetime, name: str = "t") -> None:
    events = [
        {
            "specversion": "1.0",
            "id": f"{name}-{to_rfc3339(at)}-{n}",
            "source": "test",
            "type": "agent.turn",
            "subject": "acme",
            "time": to_rfc3339(at + timedelta(minutes=1)),
            "data": {"agent": "a", "task_id": "t", "turn_id": f"{name}{n}"},
        }
        for n in range(count)
    ]
    ingest(organization_id=vendor.organization.pk, events=events, received_at=vendor.now)


def counted(vendor: Vendor) -> Decimal:
    return sum((Decimal(one["payload"]["value"]) for one in vendor.fake.tables["meter_event"].values()), Decimal(0))


def push(vendor: Vendor) -> int:
    made = push_usage(organization_id=vendor.organization.pk, now=vendor.now)
    vendor.work()
    return made


def test_hours_that_are_over_are_pushed_once(vendor: Vendor, customer: Customer) -> None:
    turns(vendor, 3, hour(vendor) - DAY)
    turns(vendor, 4, hour(vendor) - DAY - timedelta(hours=1))
    turns(vendor, 9, hour(vendor) - timedelta(minutes=2))
    assert push(vendor) == 3
    assert [push(vendor), push(vendor)] == [0, 0]
    assert counted(vendor) == 16
    assert {one["payload"]["stripe_customer_id"] for one in vendor.fake.tables["meter_event"].values()} == {
        "cus_000002"
    }
    vendor.later(days=1)
    vendor.agrees()


def test_what_comes_late_is_pushed_as_the_difference(vendor: Vendor, customer: Customer) -> None:
    at = hour(vendor) - DAY
    turns(vendor, 3, at)
    push(vendor)
    turns(vendor, 2, at, "late")
    assert push(vendor) == 1
    wrong = f"t-{to_rfc3339(at)}-0"
    void_event(organization_id=vendor.organization.pk, source="test", event_id=wrong, reason="wrong", at=vendor.now)
    assert push(vendor) == 1
    assert list(UsagePush.objects.order_by("revision").values_list("quantity", flat=True)) == [3, 2, -1]
    assert counted(vendor) == 4
    vendor.later(days=1)
    vendor.agrees()


@pytest.mark.parametrize("fault", list(Fault))
def test_whatever_happens_on_the_way_it_counts_once(vendor: Vendor, customer: Customer, fault: Fault) -> None:
    turns(vendor, 5, hour(vendor) - DAY)
    vendor.fake.fail(PUSH, fault, fault)
    push(vendor)
    for _ in range(3):
        vendor.later(minutes=2)
        push(vendor)
    assert vendor.states("usage") == ["succeeded"]
    assert counted(vendor) == 5


def test_an_answer_that_was_lost_for_a_day_is_a_matter_for_people(vendor: Vendor, customer: Customer) -> None:
    turns(vendor, 5, hour(vendor) - DAY)
    vendor.fake.fail(PUSH, Fault.CUT_AFTER)
    push(vendor)
    vendor.fake.forget_keys()
    vendor.later(hours=30)
    vendor.work()
    assert vendor.states("usage") == ["unknown"]
    assert [kind for kind, *_ in vendor.differences()] == ["outcome_unknown"]


def test_an_identifier_that_is_known_there_counts_as_done(vendor: Vendor, customer: Customer) -> None:
    turns(vendor, 5, hour(vendor) - DAY)
    vendor.fake.fail(PUSH, Fault.CUT_AFTER)
    push(vendor)
    vendor.fake.forget_keys()
    vendor.later(minutes=5)
    vendor.work()
    assert vendor.states("usage") == ["succeeded"]
    assert counted(vendor) == 5


def test_what_stripe_counts_otherwise_is_a_difference_until_it_does_not(vendor: Vendor, customer: Customer) -> None:
    turns(vendor, 5, hour(vendor) - DAY)
    push(vendor)
    [pushed] = vendor.fake.tables["meter_event"].values()
    pushed["payload"]["value"] = "4"
    vendor.later(days=1)
    assert vendor.differences() == [("usage_differs", "agent_turns:cus_000002", "5", "4")]
    pushed["payload"]["value"] = "5"
    vendor.agrees()


def test_invoices_of_those_whom_stripe_invoices_are_not_charged(vendor: Vendor, customer: Customer) -> None:
    vendor.invoice(customer)
    vendor.work()
    assert vendor.states() == []


def test_a_meter_that_does_not_add_up_feeds_none(vendor: Vendor) -> None:
    definition = {"event_type": "agent.turn", "aggregation": "max", "value": "data.x"}
    create_meter(organization_id=vendor.organization.pk, key="most", name="Most", definition=definition)
    with pytest.raises(MeterNotAdditive):
        map_meter(organization_id=vendor.organization.pk, meter="most", event_name="x", since=vendor.now)


def test_a_meter_feeds_one_and_mapping_it_again_changes_nothing(vendor: Vendor, customer: Customer) -> None:
    own = {"organization_id": vendor.organization.pk, "meter": "turns"}
    map_meter(**own, event_name="agent_turns", since=hour(vendor) - DAY * 3)
    with pytest.raises(StripeMeterExists):
        map_meter(**own, event_name="another", since=hour(vendor) - DAY * 3)
