"""An event is charged by one subscription: overlaps are refused, and events may name theirs."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from decimal import Decimal
from itertools import count, product
from typing import Any

import pytest
from django.db import connection
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from billing.invariants import check_all
from billing.models import Subscription
from billing.subscriptions.overlaps import are_disjoint
from tests.api import Api, make_api
from tests.billing.clocked import Clocked, fee, usage
from tests.examples import examples

pytestmark = pytest.mark.django_db(transaction=True)

JUNE = "2025-06-01T00:00:00Z"


@pytest.fixture
def books(vendor: Api) -> Clocked:
    made = Clocked.at(vendor, JUNE)
    made.plan("a", usage("1.00"))
    made.plan("b", usage("1.00"))
    made.plan("other", usage("1.00", meter="decisions"), fee("1.00"))
    made.plan("x", usage("1.00", filter={"agent": "x"}))
    made.plan("y", usage("1.00", filter={"agent": "y"}))
    made.plan("extra", usage("1.00"), add_on=True)
    made.customer("acme")
    return made


def refused(books: Clocked, path: str, body: dict[str, Any]) -> str:
    answer = books.api.post(path, body)
    assert (answer.status_code, answer.json()["code"]) == (409, "usage_overlaps"), answer.content
    return str(answer.json()["detail"])


def subscribed(books: Clocked, plan: str, **fields: Any) -> Any:
    return books.api.post("subscriptions", {"customer": "acme", "plan": plan, "starts_at": JUNE} | fields)


def send(books: Clocked, name: str, *, subscription: str | None = None, subject: str = "acme", **fields: Any) -> Any:
    event = {"specversion": "1.0", "id": name, "source": "s", "type": "agent.turn", "subject": subject, "data": {}}
    named = {} if subscription is None else {"subscription": subscription}
    answer = books.api.post("events", event | {"time": "2025-06-10T12:00:00Z"} | named | fields)
    assert answer.json()["accepted"] == 1, answer.content
    return answer.json()


def charged(books: Clocked, customer: str = "acme") -> dict[str, str]:
    return {
        one["subscription"]: line["quantity"]
        for one in books.invoices(customer=customer)
        for line in one["lines"]
        if line["kind"] == "usage"
    }


def test_a_second_subscription_that_counts_the_same_usage_is_refused(books: Clocked) -> None:
    first = subscribed(books, "a").json()["id"]
    detail = refused(books, "subscriptions", {"customer": "acme", "plan": "b", "starts_at": JUNE})
    assert all(part in detail for part in (first, "'turns'", "'a'", "named"))
    # Also one to come, and one that began before.
    for starts_at in ("2030-01-01T00:00:00Z", "2024-01-01T00:00:00Z"):
        refused(books, "subscriptions", {"customer": "acme", "plan": "b", "starts_at": starts_at})
    refused(books, f"subscriptions/{first}/add_ons", {"plan": "extra"})
    refused(books, "subscriptions", {"customer": "acme", "plan": "x", "starts_at": JUNE})
    assert Subscription.objects.count() == 1
    assert subscribed(books, "other").status_code == 201
    assert subscribed(books, "b", usage="named", key="second").json()["key"] == "second"
    assert books.api.get("usage_overlaps").json() == {"data": [], "next_cursor": None}


def test_filters_keep_usage_apart(books: Clocked) -> None:
    assert subscribed(books, "x").status_code == 201
    assert subscribed(books, "y").status_code == 201
    refused(books, "subscriptions", {"customer": "acme", "plan": "x", "starts_at": JUNE})
    assert are_disjoint({"model": ["a", "b"], "agent": "x"}, {"model": ["c"]})
    assert not are_disjoint({"model": ["a", "b"]}, {"model": "b", "region": "eu"})
    assert not are_disjoint({"model": "a"}, {"region": "eu"})
    assert not are_disjoint({}, {})


def test_one_after_the_other_is_no_overlap_to_the_instant(books: Clocked) -> None:
    first = subscribed(books, "a").json()["id"]
    books.advance("2025-06-10T08:30:00Z")
    assert books.api.post(f"subscriptions/{first}/cancel", {"when": "now"}).status_code == 200
    refused(books, "subscriptions", {"customer": "acme", "plan": "b", "starts_at": "2025-06-10T08:29:59Z"})
    assert subscribed(books, "b", starts_at="2025-06-10T08:30:00Z").status_code == 201


def test_changes_that_would_make_an_overlap_are_refused(books: Clocked) -> None:
    first, second = subscribed(books, "a").json()["id"], subscribed(books, "other").json()["id"]
    for when in ("now", "period_end"):
        refused(books, f"subscriptions/{second}/change", {"plan": "b", "when": when})
    refused(books, f"subscriptions/{second}/add_ons", {"plan": "extra"})
    # A paused one lets another begin, and is not resumed beside it.
    assert books.api.post(f"subscriptions/{first}/pause", {}).status_code == 200
    assert books.api.post(f"subscriptions/{second}/change", {"plan": "b"}).status_code == 200
    refused(books, f"subscriptions/{first}/resume", {})
    assert books.api.post(f"subscriptions/{first}/change", {"seats": 2}).status_code == 200
    # A new version of a plan moves nobody into an overlap: the one who would be is named.
    books.plan("quiet", fee("1.00"))
    third = subscribed(books, "quiet").json()["id"]
    assert books.api.post("plans/quiet/versions", {"prices": [usage("1.00")]}).status_code == 201
    moved = books.api.post("plans/quiet/migrations", {"when": "now"})
    assert moved.json().get("code") == "usage_overlaps" or third in str(moved.json())


def test_pairs_from_before_are_listed_and_left_as_they_are(books: Clocked) -> None:
    first = subscribed(books, "a").json()["id"]
    second = subscribed(books, "b", usage="named").json()["id"]
    Subscription.objects.filter(pk=second).update(usage="any")  # as it was before it was refused
    [found] = books.api.get("usage_overlaps").json()["data"]
    assert found == {
        "customer": "acme",
        "meter": "turns",
        "starts_at": JUNE,
        "ends_at": None,
        "first": {"subscription": first, "plan": "a", "price": "turns"},
        "second": {"subscription": second, "plan": "b", "price": "turns"},
    }
    broken = {law for law, violations in check_all(books.api.organization.pk) if violations}
    assert broken == {"usage is charged once"}
    assert books.api.post(f"subscriptions/{second}/change", {"plan": "a"}).status_code == 200
    assert books.api.post(f"subscriptions/{second}/cancel", {"when": "now"}).status_code == 200
    assert books.api.get("usage_overlaps").json()["data"] == []


def test_events_charged_twice_are_found_every_night(books: Clocked, monkeypatch: pytest.MonkeyPatch) -> None:
    """The old fault, put back: a second subscription or add-on to the same usage was not refused."""
    monkeypatch.setattr("billing.subscriptions.overlaps.beyond", lambda after, before: iter(()))
    first, second = subscribed(books, "a").json()["id"], subscribed(books, "x").json()["id"]
    subscribed(books, "b", usage="named", key="apart")
    assert books.api.post(f"subscriptions/{first}/add_ons", {"plan": "extra"}).status_code == 201
    send(books, "1", data={"agent": "x"})
    send(books, "2", data={"agent": "y"})
    send(books, "3", subscription="apart")

    def found() -> dict[str, list[str]]:
        laws = check_all(books.api.organization.pk)
        return {law: [one.detail for one in broken] for law, broken in laws if broken}

    assert list(found()) == ["usage is charged once"]
    for subscription in (first, second):
        assert books.api.post(f"subscriptions/{subscription}/cancel", {"when": "period_end"}).status_code == 200
    books.advance("2025-07-02T00:00:00Z")
    # The plan and its add-on share both events, and each of them one with the plan for agent x.
    both = [f"acme: both charge {events} events of 'turns' and 'turns'" for events in (2, 1, 1)]
    charged_twice = {law: sorted(details, reverse=True) for law, details in found().items()}
    assert charged_twice == {"no event is charged by two lines": both}
    for invoice in books.invoices():
        for line in invoice["lines"][1:] if invoice["subscription"] == first else invoice["lines"]:
            if line["quantity"] != "0":
                note = {"invoice": invoice["id"], "lines": [{"line": line["id"], "amount": line["amount"]}]}
                assert books.api.post("credit_notes", note | {"reason": "charged twice"}).status_code == 201
    assert found() == {}


def test_of_two_subscriptions_at_once_one_is_refused(books: Clocked) -> None:
    def make(plan: str) -> int:
        try:
            return int(subscribed(books, plan).status_code)
        finally:
            connection.close()

    with ThreadPoolExecutor(2) as pool:
        assert sorted(pool.map(make, ["a", "b"])) == [201, 409]


def test_events_that_name_a_subscription_are_charged_by_it_alone(books: Clocked) -> None:
    first = subscribed(books, "a").json()["id"]
    second = subscribed(books, "b", usage="named", key="eu").json()["id"]
    books.customer("other")
    foreign = books.api.post(
        "subscriptions", {"customer": "other", "plan": "a", "starts_at": JUNE, "key": "foreign"}
    ).json()["id"]
    assert "notices" not in send(books, "unnamed")
    send(books, "by-id", subscription=second)
    send(books, "by-key", subscription="eu")
    send(books, "first-1", subscription=first)
    send(books, "first-2", subscription=first, time="2025-06-30T23:59:59Z")
    batch = [
        {"specversion": "1.0", "id": f"n{n}", "source": "s", "type": "agent.turn", "subject": "acme"}
        | {"time": "2025-06-11T12:00:00Z", "subscription": name}
        for n, name in enumerate(["eu", "nobody", "foreign", "eu"])
    ]
    answer = books.api.post("events", batch).json()
    assert answer["accepted"] == 4
    assert [(one["index"], one["code"]) for one in answer["notices"]] == [
        (1, "subscription_unknown"),
        (2, "subscription_unknown"),
    ]
    # The attribute is content: the same identity with another is a conflict, and with the same a duplicate.
    assert books.api.post("events", batch[0]).json()["duplicates"] == 1
    conflict = books.api.post("events", batch[0] | {"subscription": "foreign"}).json()["rejected"]
    assert [one["code"] for one in conflict] == ["id_conflict"]
    books.advance("2025-07-02T00:00:00Z")
    assert charged(books) == {first: "3", second: "4"}
    assert charged(books, "other") == {foreign: "0"}
    unassigned = books.api.get("unassigned_usage").json()["data"]
    assert [(one["subject"], one["subscription"], one["reason"], one["events"]) for one in unassigned] == [
        ("acme", "foreign", "subscription_unknown", 1),
        ("acme", "nobody", "subscription_unknown", 1),
    ]
    events = books.api.get("events", customer="acme").json()["data"]
    assert sorted(str(one["subscription"]) for one in events) == sorted(
        ["None", second, "eu", first, first, "eu", "nobody", "foreign", "eu"]
    )
    [invoice] = [one for one in books.invoices(customer="acme") if one["subscription"] == second]
    behind = books.api.get(f"invoices/{invoice['id']}/lines/{invoice['lines'][0]['id']}/events").json()["data"]
    assert len(behind) == 4
    assert not [found for _, broken in check_all(books.api.organization.pk) for found in broken]
    # Late, for the named one alone.
    send(books, "late", subscription="eu")
    late = books.api.get(f"invoices/{invoice['id']}/late_usage").json()["data"]
    assert [one["quantity"] for one in late] == ["5"]


def test_usage_that_no_subscription_charges_is_listed_with_the_reason(books: Clocked) -> None:
    subscription = subscribed(books, "a", usage="named", key="one", starts_at="2025-06-05T00:00:00Z").json()["id"]
    send(books, "unnamed")
    send(books, "before", subscription="one", time="2025-06-04T23:59:59Z")
    send(books, "early", time="2025-06-04T23:59:59Z")
    send(books, "stranger", subject="nobody")
    send(books, "nameless", subject="nobody", type="agent.decision")
    books.advance("2025-06-20T00:00:00Z")
    books.api.post(f"subscriptions/{subscription}/cancel", {"when": "now"})
    send(books, "after", subscription=subscription, time="2025-06-20T00:00:00Z")
    found = books.api.get("unassigned_usage").json()["data"]
    assert [(one["subject"], one["subscription"], one["reason"], one["type"], one["events"]) for one in found] == [
        ("acme", "one", "not_in_force", "agent.turn", 1),
        ("acme", subscription, "not_in_force", "agent.turn", 1),
        ("acme", None, "not_in_force", "agent.turn", 1),
        ("acme", None, "not_named", "agent.turn", 1),
        ("nobody", None, "customer_unknown", "agent.decision", 1),
        ("nobody", None, "customer_unknown", "agent.turn", 1),
    ]
    narrow = {"customer": "acme", "from": "2025-06-10T00:00:00Z", "to": "2025-06-11T00:00:00Z"}
    assert [one["reason"] for one in books.api.get("unassigned_usage", **narrow).json()["data"]] == ["not_named"]
    for bad in ({"from": "x"}, {"from": JUNE, "to": JUNE}, {"cursor": "x"}):
        assert books.api.get("unassigned_usage", **bad).status_code == 422


def test_names_of_subscriptions_are_checked(books: Clocked) -> None:
    assert subscribed(books, "a", key="sub_1").json()["code"] == "key_invalid"
    assert subscribed(books, "a", key="one").status_code == 201
    assert subscribed(books, "other", key="one").json()["code"] == "key_taken"
    assert books.api.get("subscriptions/one").json()["usage"] == "any"
    event = {"specversion": "1.0", "id": "1", "source": "s", "type": "agent.turn", "subject": "acme"}
    for name in ("", 5, "x" * 256, "a\x00b"):
        [rejected] = books.api.post("events", event | {"subscription": name}).json()["rejected"]
        assert rejected["code"] == "field_invalid"


_LAWS = count()
_FILTERS: list[dict[str, str]] = [{}, {"agent": "x"}, {"agent": "y"}]


@settings(max_examples=examples(2, thorough=40), deadline=None, suppress_health_check=list(HealthCheck))
@given(
    wanted=st.lists(
        st.tuples(st.integers(0, 2), st.sampled_from(["any", "named"]), st.integers(0, 20), st.integers(0, 2)),
        min_size=2,
        max_size=5,
    ),
    named=st.lists(st.integers(-1, 5), min_size=1, max_size=4),
)
def test_each_event_is_charged_at_most_once_and_the_rest_is_listed(
    wanted: list[tuple[int, str, int, int]], named: list[int]
) -> None:
    api = make_api(f"Once {next(_LAWS)}")
    api.meter("turns", event_type="agent.turn", aggregation="count", dimensions={"agent": "data.agent"})
    books = Clocked.at(api, JUNE)
    books.customer("acme")
    for index, where in enumerate(_FILTERS):
        books.plan(f"p{index}", usage("1.00", filter=where))
    made = 0
    for place, (filtered, mode, day, action) in enumerate(wanted):
        start = datetime(2025, 6, 1 + day, 7, 30, tzinfo=UTC).isoformat()
        body = {"customer": "acme", "plan": f"p{filtered}", "starts_at": start, "usage": mode, "key": f"k{place}"}
        answer = api.post("subscriptions", body)
        assert answer.status_code in (201, 409)
        if answer.status_code == 201:
            made += 1
            path = f"subscriptions/k{place}"
            if action:
                assert api.post(f"{path}/{['', 'pause', 'cancel'][action]}", {}).status_code in (200, 409)
    events = [
        {"specversion": "1.0", "id": f"{n}-{day}-{hour}-{agent}", "source": "s", "type": "agent.turn"}
        | {"subject": "acme", "time": f"2025-06-{day:02}T{hour:02}:45:00Z", "data": {"agent": agent}}
        | ({} if name < 0 else {"subscription": f"k{name}"})
        for (n, name), day, hour, agent in product(enumerate(named), (3, 9, 22), (6, 7, 8), ("x", "y"))
    ]
    assert api.post("events", events).json()["accepted"] == len(events)
    books.advance("2025-08-03T00:00:00Z")
    seen: list[str] = []
    for invoice in books.invoices(limit="1000"):
        for line in invoice["lines"]:
            behind = api.get(f"invoices/{invoice['id']}/lines/{line['id']}/events", limit="1000").json()["data"]
            assert Decimal(line["amount"]) == len(behind)
            seen += [event["id"] for event in behind]
    assert len(seen) == len(set(seen)), "an event was charged twice"
    assert not [found for _, found in check_all(api.organization.pk) if found]
    listed = sum(one["events"] for one in api.get("unassigned_usage").json()["data"])
    # What is neither charged nor listed belongs to a subscription in force whose prices filter it out.
    left = [event for event in events if event["id"] not in seen]
    assert listed <= len(left)
    if made and not any(filtered for filtered, *_ in wanted):
        assert listed == len(left)
