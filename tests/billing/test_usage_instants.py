"""Usage goes by instants: the plan in force at an event's time prices it. Fees go by days."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from billing.invariants import check_all
from billing.invoicing import parts
from billing.invoicing.bills import bills_in_month
from billing.models import Customer, Plan, PlanChange, PlanVersion, Subscription, SubscriptionPause
from billing.subscriptions.spells import usage_spans
from billing.subscriptions.timeline import billed_from, spans
from kernel.period import Month
from tests.api import Api
from tests.billing.clocked import Clocked, fee, usage
from tests.billing.kept_days import keep_days
from tests.examples import examples

JUNE = "2025-06-01T00:00:00Z"


pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def books(vendor: Api) -> Clocked:
    return Clocked.at(vendor, JUNE)


def act(books: Clocked, subscription: str, action: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
    answer = books.api.post(f"subscriptions/{subscription}/{action}", body or {})
    assert answer.status_code in (200, 201), answer.content
    return dict(answer.json())


def usage_lines(books: Clocked, customer: str) -> list[tuple[str, str, str, str]]:
    found = [line for one in books.invoices(customer=customer) for line in one["lines"] if line["kind"] == "usage"]
    return [(line["period_start"], line["period_end"], line["quantity"], line["amount"]) for line in found]


def test_usage_between_two_changes_on_one_day_is_charged_by_the_plan_of_its_instant(books: Clocked) -> None:
    books.plan("free", usage("0", key="free_turns"), fee("31.00"))
    books.plan("paid", usage("1.00", included="300", minimum="3000", maximum="30000"), fee("310.00"))
    books.customer("acme")
    subscription = books.subscribe("acme", "free", JUNE)
    books.turns("acme", 10, "2025-06-10T08:29:59Z")
    books.advance("2025-06-10T08:30:00Z")
    act(books, subscription, "change", {"plan": "paid"})
    books.turns("acme", 9, "2025-06-10T08:30:00Z")
    books.turns("acme", 991, "2025-06-10T08:39:59.999999Z")
    upcoming = books.upcoming("acme")
    assert [line["amount"] for line in upcoming["lines"] if line["price"] == "turns"] == ["2100.00"]
    books.advance("2025-06-10T08:40:00Z")
    act(books, subscription, "change", {"plan": "free"})
    books.turns("acme", 5, "2025-06-10T08:40:00Z")
    books.turns("acme", 2, "2025-06-10T08:35:00Z")  # late, for the ten minutes that are over
    books.advance("2025-07-02T00:00:00Z")
    # Nothing is included and there is no minimum in ten minutes of a day that belongs to the other plan; the maximum
    # is a day's, 30,000 / 30. The day's fee is the last plan's.
    assert usage_lines(books, "acme") == [
        ("2025-06-01T00:00:00Z", "2025-06-10T08:30:00Z", "10", "0.00"),
        ("2025-06-10T08:40:00Z", "2025-07-01T00:00:00Z", "5", "0.00"),
        ("2025-06-10T08:30:00Z", "2025-06-10T08:40:00Z", "1002", "1000.00"),
    ]
    [invoice] = books.invoices()
    assert [line["amount"] for line in invoice["lines"] if line["kind"] == "fixed"] == ["31.00"]
    line = next(one for one in invoice["lines"] if one["quantity"] == "1002")
    events = books.api.get(f"invoices/{invoice['id']}/lines/{line['id']}/events", limit="1000").json()["data"]
    assert {event["time"] for event in events} == {
        "2025-06-10T08:30:00Z",
        "2025-06-10T08:35:00Z",
        "2025-06-10T08:39:59.999999Z",
    }
    books.turns("acme", 1, "2025-06-10T08:39:00Z")
    books.turns("acme", 1, "2025-06-10T08:41:00Z")
    late = books.api.get(f"invoices/{invoice['id']}/late_usage").json()["data"]
    assert {(one["line"], one["quantity"]) for one in late} == {
        (next(one["id"] for one in invoice["lines"] if one["quantity"] == "5"), "6"),
        (line["id"], "1003"),
    }
    assert not [found for _, broken in check_all(books.api.organization.pk) for found in broken]


def test_included_units_of_a_changed_plan_go_by_days(books: Clocked) -> None:
    books.plan("a", usage("1.00", included="300"))
    books.plan("b", usage("2.00", included="60"))
    books.customer("acme", timezone="Asia/Kolkata")  # half an hour off the grid of buckets
    subscription = books.subscribe("acme", "a", "2025-05-31T18:30:00Z")
    books.turns("acme", 100, "2025-06-10T06:29:59Z")
    books.advance("2025-06-10T06:30:00Z")  # noon of 10 June there: 9 days of a, 21 of b
    act(books, subscription, "change", {"plan": "b"})
    books.turns("acme", 50, "2025-06-10T06:30:00Z")
    books.advance("2025-07-02T00:00:00Z")
    # 100 - 300 x 9/30 = 10 at 1.00; 50 - 60 x 21/30 = 8 at 2.00
    assert usage_lines(books, "acme") == [
        ("2025-05-31T18:30:00Z", "2025-06-10T06:30:00Z", "100", "10.00"),
        ("2025-06-10T06:30:00Z", "2025-06-30T18:30:00Z", "50", "16.00"),
    ]


def test_usage_in_a_pause_of_an_hour_costs_nothing_and_its_day_costs_its_fee(books: Clocked) -> None:
    books.plan("p", usage("1.00", included="30"), fee("30.00"))
    books.customer("acme")
    subscription = books.subscribe("acme", "p", JUNE)
    books.advance("2025-06-10T08:00:00Z")
    act(books, subscription, "pause")
    books.turns("acme", 20, "2025-06-10T07:59:59Z")
    books.turns("acme", 500, "2025-06-10T08:00:00Z")
    books.advance("2025-06-10T09:00:00Z")
    act(books, subscription, "resume")
    books.turns("acme", 25, "2025-06-10T09:00:00Z")
    books.advance("2025-07-02T00:00:00Z")
    # 20 - 9 and 25 - 21: the day belongs to what comes last
    assert [line[2:] for line in usage_lines(books, "acme")] == [("20", "11.00"), ("25", "4.00")]
    [invoice] = books.invoices()
    assert [line["amount"] for line in invoice["lines"] if line["kind"] == "fixed"] == ["30.00"]


def test_usage_starts_and_ends_with_the_subscription_to_the_instant(books: Clocked) -> None:
    books.plan("p", usage("1.00"), fee("30.00"))
    books.customer("acme", timezone="Europe/Berlin")
    books.advance("2025-10-20T10:00:00Z")
    subscription = books.subscribe("acme", "p", "2025-10-20T10:00:00Z")
    books.turns("acme", 7, "2025-10-20T09:59:59Z")
    books.turns("acme", 2, "2025-10-20T10:00:00Z")
    # 26 October has 25 hours: 02:30 comes twice
    books.turns("acme", 3, "2025-10-26T00:30:00Z")
    books.advance("2025-10-26T01:30:00Z")
    act(books, subscription, "cancel", {"when": "now"})
    books.turns("acme", 4, "2025-10-26T01:29:59Z")
    books.turns("acme", 50, "2025-10-26T01:30:00Z")
    books.advance("2025-11-02T00:00:00Z")
    assert usage_lines(books, "acme") == [("2025-10-20T10:00:00Z", "2025-10-26T01:30:00Z", "9", "9.00")]
    [invoice] = books.invoices()
    # 20 to 26 October, both whole: 7 of 31 days
    assert [line["amount"] for line in invoice["lines"] if line["kind"] == "fixed"] == ["6.77"]
    assert (invoice["period_start"], invoice["period_end"]) == ("2025-10-19T22:00:00Z", "2025-10-26T23:00:00Z")


def test_usage_of_an_add_on_follows_its_instants_and_another_quantity_keeps_it(books: Clocked) -> None:
    books.plan("p", fee("30.00"))
    seats = {"key": "seats", "kind": "seat", "model": {"type": "per_unit", "unit_amount": "30.00"}}
    books.plan("extra", usage("1.00"), seats, add_on=True)
    books.customer("acme")
    subscription = books.subscribe("acme", "p", JUNE)
    for at, quantity in (("2025-06-10T08:00:00Z", 1), ("2025-06-10T09:00:00Z", 3)):
        books.advance(at)
        act(books, subscription, "add_ons", {"plan": "extra", "quantity": quantity})
    books.turns("acme", 1, "2025-06-10T07:59:59Z")
    books.turns("acme", 2, "2025-06-10T08:00:00Z")
    books.turns("acme", 4, "2025-06-10T09:00:00Z")
    books.advance("2025-06-11T12:00:00Z")
    act(books, subscription, "add_ons/extra/remove", {"when": "now"})
    books.turns("acme", 8, "2025-06-11T11:59:59Z")
    books.turns("acme", 16, "2025-06-11T12:00:00Z")
    books.advance("2025-07-02T00:00:00Z")
    assert [line[2:] for line in usage_lines(books, "acme")] == [("2", "2.00"), ("12", "12.00")]
    [invoice] = books.invoices()
    # two days of three seats at 1.00 a day
    assert [line["amount"] for line in invoice["lines"] if line["kind"] == "seat"] == ["6.00"]


def test_usage_on_the_day_another_interval_begins_is_charged_once(books: Clocked) -> None:
    books.plan("m", usage("1.00", key="by_month"), minimum_commitment="31.00")
    books.plan("y", usage("2.00", key="by_year"), interval="year")
    for customer, day in (("middle", "2025-06-10"), ("first", "2025-07-01")):
        books.customer(customer)
        books.subscribe(customer, "m", JUNE)
        books.turns(customer, 3, f"{day}T08:29:59Z")
        books.turns(customer, 5, f"{day}T08:30:00Z")
    books.advance("2025-06-10T08:30:00Z")
    subscriptions = {one["customer"]: one["id"] for one in books.api.get("subscriptions").json()["data"]}
    act(books, subscriptions["middle"], "change", {"plan": "y"})
    books.advance("2025-07-01T08:30:00Z")
    act(books, subscriptions["first"], "change", {"plan": "y"})
    books.advance("2026-01-02T00:00:00Z")
    assert usage_lines(books, "middle") == [
        ("2025-06-01T00:00:00Z", "2025-06-10T08:30:00Z", "3", "3.00"),
        ("2025-06-10T08:30:00Z", "2026-01-01T00:00:00Z", "5", "10.00"),
    ]
    assert usage_lines(books, "first") == [
        ("2025-06-01T00:00:00Z", "2025-07-01T00:00:00Z", "0", "0.00"),
        ("2025-07-01T00:00:00Z", "2025-07-01T08:30:00Z", "3", "3.00"),
        ("2025-07-01T08:30:00Z", "2026-01-01T00:00:00Z", "5", "10.00"),
    ]
    [june] = [one for one in books.invoices(customer="middle") if one["period_start"] == JUNE]
    # 9 of 30 days of the commitment is 9.30, of which usage reaches 3.00
    assert [line["amount"] for line in june["lines"] if line["kind"] == "commitment"] == ["6.30"]


def test_the_highest_and_the_distinct_of_each_spell_are_its_own(books: Clocked) -> None:
    api = books.api
    api.meter("peak", event_type="agent.turn", aggregation="max", value="data.size")
    api.meter("people", event_type="agent.turn", aggregation="unique_count", value="data.person")
    prices = [usage("1.00", key=meter, meter=meter) for meter in ("peak", "people")]
    books.plan("a", *prices)
    books.plan("b", *prices)
    books.customer("acme")
    subscription = books.subscribe("acme", "a", JUNE)
    for index, (at, size, person) in enumerate(
        [("08:10:00", 9, "x"), ("08:29:59", 2, "y"), ("08:30:00", 4, "x"), ("08:31:00", 1, "x")]
    ):
        event = {"specversion": "1.0", "id": str(index), "source": "s", "type": "agent.turn", "subject": "acme"}
        body = event | {"time": f"2025-06-10T{at}Z", "data": {"size": size, "person": person}}
        assert api.post("events", body).json()["accepted"] == 1
    books.advance("2025-06-10T08:30:00Z")
    act(books, subscription, "change", {"plan": "b"})
    books.advance("2025-07-02T00:00:00Z")
    assert [line[2:] for line in usage_lines(books, "acme")] == [
        ("9", "9.00"),
        ("2", "2.00"),
        ("4", "4.00"),
        ("1", "1.00"),
    ]


def test_what_was_arranged_before_usage_had_instants_keeps_its_days(books: Clocked) -> None:
    books.plan("a", usage("1.00"))
    books.plan("b", usage("10.00"))
    for customer in ("before", "after"):
        books.customer(customer, timezone="America/New_York")
        subscription = books.subscribe(customer, "a", "2025-06-02T10:00:00Z")
        books.turns(customer, 1, "2025-06-02T05:00:00Z")
    subscriptions = {one["customer"]: one["id"] for one in books.api.get("subscriptions").json()["data"]}
    books.advance("2025-06-10T18:00:00Z")
    for subscription in subscriptions.values():
        act(books, subscription, "change", {"plan": "b"})
    books.advance("2025-06-20T18:00:00Z")
    for subscription in subscriptions.values():
        act(books, subscription, "pause")
    for customer in subscriptions:
        books.turns(customer, 2, "2025-06-10T12:00:00Z")  # the morning of the day of the change
        books.turns(customer, 4, "2025-06-20T22:00:00Z")  # the evening of the day of the pause
    # As the upgrade does it, for one of them.
    untouched = {model: list(model.objects.filter(**{path: "after"}).values()) for model, path in OF_CUSTOMER.items()}
    keep_days()
    for model, path in OF_CUSTOMER.items():
        model.objects.filter(**{path: "after"}).update(usage_starts_at=None)
        assert list(model.objects.filter(**{path: "after"}).values()) == untouched[model]
    books.advance("2025-06-25T18:00:00Z")
    for subscription in subscriptions.values():
        act(books, subscription, "resume")
    for customer in subscriptions:
        books.turns(customer, 8, "2025-06-25T17:00:00Z")  # before it was resumed, by the new rule
    books.advance("2025-07-02T00:00:00Z")
    assert [line[2:] for line in usage_lines(books, "before")] == [("1", "1.00"), ("6", "60.00"), ("0", "0.00")]
    assert [line[2:] for line in usage_lines(books, "after")] == [("2", "2.00"), ("0", "0.00"), ("0", "0.00")]


OF_CUSTOMER: dict[Any, str] = {
    Subscription: "customer__key",
    PlanChange: "subscription__customer__key",
    SubscriptionPause: "subscription__customer__key",
}

_VERSIONS = [
    PlanVersion(pk=f"v{n}", plan=Plan(pk=f"p{n}"), number=1, currency="USD", interval=interval)
    for n, interval in enumerate(["month", "month", "quarter", "week"])
]
_START = datetime(2025, 1, 1, tzinfo=UTC)
#: What happens, in steps of minutes (some none, so that two things happen at one instant).
_STORY = st.lists(
    st.tuples(
        st.sampled_from([0, 1, 7, 60, 601, 1440, 2000, 9000, 44640]), st.sampled_from(["a", "b", "q", "w", "pause"])
    ),
    max_size=9,
)


@settings(max_examples=examples(30, thorough=500), deadline=None)
@given(
    story=_STORY,
    zone=st.sampled_from(["UTC", "Europe/Berlin", "America/Havana", "Asia/Kolkata"]),
    offset=st.integers(0, 1500),
    anchor=st.sampled_from(["calendar", "anniversary"]),
    trial=st.sampled_from([0, 0, 3]),
    ended=st.booleans(),
)
def test_every_instant_that_is_charged_lies_in_one_spell_of_one_bill(
    story: list[tuple[int, str]], zone: str, offset: int, anchor: str, trial: int, ended: bool
) -> None:
    subscription, now = _told(story, zone, _START + timedelta(minutes=offset), anchor, trial, ended)
    until = now + timedelta(days=200)
    found: list[tuple[datetime, datetime, str]] = []
    for bill in _bills(subscription, until):
        of_bill = usage_spans(bill.regime, bill.arrears)
        fees = spans(bill.regime, bill.arrears)
        assert sum(one.fraction for one in fees) == sum(one.fraction for one in of_bill) or not of_bill
        found += [(one.period.start, one.period.end, one.version.pk) for one in of_bill]
    found.sort()
    assert all(one[1] <= following[0] for one, following in pairwise(found)), found
    # At each cut, a moment before it and a moment after it, the one spell there is has the version in force.
    pauses = [(one.starts_at, one.ends_at or datetime.max.replace(tzinfo=UTC)) for one in subscription.pauses.all()]
    changes = [
        (subscription.starts_at, "v0"),
        *((c.starts_at, c.plan_version.pk) for c in subscription.plan_changes.all()),
    ]
    begins = billed_from(subscription)
    ends = subscription.ends_at or until
    moment = timedelta(seconds=30)
    cuts = (
        {at for one in found for at in one[:2]} | {at for at, _ in changes} | {at for one in pauses for at in one[:1]}
    )
    for at in sorted({edge + step for edge in cuts for step in (-moment, timedelta(0), moment)}):
        charged = begins <= at < min(ends, until - timedelta(days=100))
        charged = charged and not any(start <= at < end for start, end in pauses)
        within = [version for start, end, version in found if start <= at < end]
        if at < until - timedelta(days=100):
            assert within == ([[v for since, v in changes if since <= at][-1]] if charged else []), (at, found)


def _bills(subscription: Subscription, until: datetime) -> list[Any]:
    month, bills = Month(2024, 12), []
    while date(month.year, month.month, 1) <= until.date() + timedelta(days=200):
        bills += [bill for bill in bills_in_month(subscription, month) if bill.arrears is not None]
        month = month.next()
    return bills


def _told(
    story: list[tuple[int, str]], zone: str, starts_at: datetime, anchor: str, trial: int, ended: bool
) -> tuple[Subscription, datetime]:
    """A subscription to which the story happened, never saved; `pause` pauses and resumes in turn."""
    for version in _VERSIONS:
        version._prefetched_objects_cache = {"prices": []}
    customer = Customer(pk="cus", key="acme", timezone=zone)
    subscription = Subscription(
        pk="sub", customer=customer, plan_version=_VERSIONS[0], starts_at=starts_at, anchor=anchor, trial_days=trial
    )
    changes: list[PlanChange] = []
    pauses: list[SubscriptionPause] = []
    now = billed_from(subscription)
    for minutes, what in story:
        now += timedelta(minutes=minutes)
        if what != "pause":
            version = _VERSIONS["abqw".index(what)]
            changes = [one for one in changes if one.starts_at < now]
            changes.append(PlanChange(plan_version=version, starts_at=now))
        elif pauses and pauses[-1].ends_at is None:
            pauses[-1].ends_at = now
        else:
            pauses.append(SubscriptionPause(starts_at=now))
    if ended:
        subscription.ends_at = now + timedelta(hours=5)
    subscription._prefetched_objects_cache = {
        "plan_changes": changes,
        "seat_changes": [],
        "pauses": pauses,
        "add_ons": [],
    }
    return subscription, now


def test_per_unit_usage_totals_the_price_in_force_at_each_event(books: Clocked) -> None:
    for key, amount in (("one", "1.00"), ("ten", "10.00"), ("hundred", "100.00")):
        books.plan(key, usage(amount))
    books.plan("quarterly", usage("1000.00"), interval="quarter")
    books.customer("acme", timezone="America/Havana")
    subscription = books.subscribe("acme", "one", JUNE)
    price, expected = Decimal(1), Decimal(0)
    prices = {"one": 1, "ten": 10, "hundred": 100, "quarterly": 1000}
    changes = ["ten", "hundred", "pause", "one", "pause", "quarterly", "ten", "hundred", "hundred", "one", "pause"]
    story = [*changes, "pause", "quarterly", "one", "quarterly", "ten"]
    now, paused = datetime(2025, 6, 1, 3, 30, tzinfo=UTC), False
    for index, what in enumerate(story):
        now += timedelta(hours=31, minutes=13) if index % 3 else timedelta(minutes=10)
        for at in (now - timedelta(seconds=1), now - timedelta(minutes=9)):
            books.turns("acme", 1, at.isoformat())
            expected += 0 if paused else price
        books.advance(now.isoformat())
        if what == "pause":
            act(books, subscription, "resume" if paused else "pause")
            paused = not paused
        else:
            act(books, subscription, "change", {"plan": what})
            price = Decimal(prices[what])
    books.turns("acme", 1, now.isoformat())
    expected += price
    books.advance("2026-02-01T12:00:00Z")
    assert sum(Decimal(line[3]) for line in usage_lines(books, "acme")) == expected
    assert sum(Decimal(line[2]) for line in usage_lines(books, "acme")) == 2 * len(story) + 1 - 6
    assert not [found for _, broken in check_all(books.api.organization.pk) for found in broken]


def test_usage_charged_by_days_is_found_every_night(books: Clocked, monkeypatch: pytest.MonkeyPatch) -> None:
    """The old fault, put back: usage went by whole days, and each belonged to what came last on it."""
    monkeypatch.setattr(parts, "usage_spans", spans)
    books.plan("free", usage("0", key="free_turns"))
    books.plan("paid", usage("1.00"))
    changed, paused, ended = ("changed", "paused", "ended")
    for customer in (changed, paused, ended):
        books.customer(customer)
    made = {customer: books.subscribe(customer, "free", JUNE) for customer in (changed, paused, ended)}
    books.advance("2025-06-10T08:30:00Z")
    act(books, made[changed], "change", {"plan": "paid"})
    act(books, made[paused], "pause")
    act(books, made[ended], "cancel", {"when": "now"})
    books.advance("2025-06-12T08:30:00Z")
    act(books, made[paused], "resume")
    books.advance("2025-07-02T00:00:00Z")
    found = dict(check_all(books.api.organization.pk))["usage follows the plan of its instant"]
    not_in_force = "usage of 'free_turns' is charged and the price is not in force"
    assert [one.detail for one in found] == [
        "changed: at 2025-06-10T08:29:59.999999+00:00 usage of 'free_turns' is not charged, usage of 'turns' is "
        "charged and the price is not in force",
        f"paused: at 2025-06-10T08:30:00+00:00 {not_in_force}",
        f"paused: at 2025-06-12T08:29:59.999999+00:00 {not_in_force}",
        f"ended: at 2025-06-10T08:30:00+00:00 {not_in_force}",
    ]
