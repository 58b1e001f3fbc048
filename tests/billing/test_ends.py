"""Subscriptions with an end in sight, and trials, against amounts worked out by hand.

Fees are in advance and a day costs 1.00: a year is 365.00 in 2025, a month of 31 days 31.00.
"""

from __future__ import annotations

from typing import Any

import pytest

from billing.invariants import check_all
from billing.invoicing import bills
from tests.api import Api
from tests.billing.clocked import Clocked, fee, usage
from tests.billing.documents.valid import BUYER, documents_are_valid, name_the_seller

pytestmark = pytest.mark.django_db(transaction=True)

JANUARY = "2025-01-01T00:00:00Z"
SEATS = {"key": "seats", "kind": "seat", "bill": "in_advance", "model": {"type": "per_unit", "unit_amount": "365"}}


@pytest.fixture
def clocked(api: Api) -> Clocked:
    name_the_seller(api)
    found = Clocked.at(api, JANUARY)
    api.meter("turns", event_type="agent.turn", aggregation="count")
    found.customer("acme", **BUYER)
    found.plan("month", fee("31", bill="in_advance"))
    found.plan("dear", fee("62", bill="in_advance"))
    found.plan("year", fee("365", bill="in_advance"), SEATS, interval="year")
    return found


def act(clocked: Clocked, subscription: str, action: str, **body: Any) -> str:
    """Do something now; its status, or the code of its refusal."""
    path = f"subscriptions/{subscription}"
    answer = clocked.api.patch(path, body) if action == "patch" else clocked.api.post(f"{path}/{action}", body)
    return str(answer.status_code) if answer.status_code < 400 else str(answer.json()["code"])


def totals(clocked: Clocked) -> list[str]:
    return [one["total"] for one in sorted(clocked.invoices(), key=lambda one: one["number"])]


def sound(clocked: Clocked) -> bool:
    assert documents_are_valid(clocked.api)
    return not [found for _, found in check_all(clocked.api.organization.pk) if found]


def shown(clocked: Clocked, subscription: str) -> dict[str, Any]:
    return dict(clocked.api.get(f"subscriptions/{subscription}").json())


def test_everything_can_change_while_an_end_is_in_sight(clocked: Clocked) -> None:
    one = clocked.subscribe("acme", "year", JANUARY, seats=2)
    clocked.advance("2025-01-10T09:00:00Z")
    assert act(clocked, one, "cancel", when="period_end") == "200"
    assert act(clocked, one, "cancel", when="period_end") == "200"
    assert shown(clocked, one)["ends_at"] == "2026-01-01T00:00:00Z"
    assert act(clocked, one, "change", seats=5) == "200"
    clocked.advance("2025-01-20T09:00:00Z")
    assert act(clocked, one, "pause") == "200"
    clocked.advance("2025-01-31T09:00:00Z")
    assert act(clocked, one, "resume") == "200"
    assert act(clocked, one, "change", seats=9, when="period_end") == "ends_before_change"
    assert act(clocked, one, "change", plan="month") == "200"
    assert act(clocked, one, "patch", ends_at="2025-06-30T12:00:00Z") == "200"
    assert act(clocked, one, "cancel", when="period_end") == "200"
    clocked.advance("2025-02-03T00:00:00Z")
    # 20 of 365 days at 1.00, and 9 of them of 2 seats and 11 of 5, are 20.00 + 18.00 + 55.00 = 93.00 of 1,095.00; the
    # 31st at the month's price; its end is that of January
    assert totals(clocked) == ["1095.00", "-1002.00", "1.00"]
    assert shown(clocked, one)["ends_at"] == "2025-02-01T00:00:00Z"
    for action, body, code in [
        ("cancel", {"when": "now"}, "already_cancelled"),
        ("change", {"seats": 1}, "subscription_not_running"),
        ("uncancel", {}, "subscription_ended"),
        ("patch", {"ends_at": None}, "subscription_ended"),
    ]:
        assert act(clocked, one, action, **body) == code
    assert sound(clocked)


def test_a_cancellation_taken_back_leaves_no_trace_in_what_is_charged(clocked: Clocked) -> None:
    one = clocked.subscribe("acme", "month", JANUARY)
    assert act(clocked, one, "uncancel") == "not_cancelled"
    clocked.advance("2025-01-10T09:00:00Z")
    assert act(clocked, one, "cancel", when="period_end") == "200"
    clocked.advance("2025-01-31T23:59:00Z")
    assert act(clocked, one, "uncancel") == "200"
    assert (shown(clocked, one)["status"], shown(clocked, one)["ends_at"]) == ("active", None)
    clocked.advance("2025-02-01T09:00:00Z")
    assert act(clocked, one, "patch", ends_at="2025-02-08T00:00:00Z") == "200"
    clocked.advance("2025-02-07T00:00:00Z")
    assert act(clocked, one, "uncancel") == "200"
    clocked.advance("2025-03-01T00:00:00Z")
    assert totals(clocked) == ["31.00", "31.00", "31.00"]
    assert sound(clocked)


def test_an_end_is_given_when_made_and_moved(clocked: Clocked) -> None:
    for ends_at, code in [
        ("2024-12-31T00:00:00Z", "ends_before_start"),
        (JANUARY, "ends_before_start"),
        ("tomorrow", "invalid"),
    ]:
        answer = clocked.api.post(
            "subscriptions", {"customer": "acme", "plan": "month", "starts_at": JANUARY, "ends_at": ends_at}
        )
        assert answer.status_code == 422
        assert answer.json()["errors"][0] | {"detail": ""} == {"pointer": "/ends_at", "code": code, "detail": ""}
    one = clocked.subscribe("acme", "month", JANUARY, ends_at="2025-01-10T12:00:00Z")
    clocked.advance("2025-01-05T00:00:00Z")
    assert act(clocked, one, "patch", ends_at="2025-01-04T23:59:59Z") == "ends_in_past"
    assert act(clocked, one, "patch", ends_at="2024-06-01T00:00:00Z") == "ends_before_start"
    assert act(clocked, one, "patch") == "invalid"
    assert act(clocked, one, "patch", ends_at="2025-02-14T00:00:00Z") == "200"
    clocked.advance("2025-02-01T00:00:00Z")
    # 10 days were charged in advance; 21 more, and 14 of the 28 days of February
    assert totals(clocked) == ["10.00", "36.50"]
    assert act(clocked, one, "patch", ends_at=None) == "200"
    clocked.advance("2025-03-01T00:00:00Z")
    assert totals(clocked) == ["10.00", "36.50", "46.50"]
    assert sound(clocked)


def test_a_change_that_the_end_overtakes_says_so_and_comes_back(clocked: Clocked) -> None:
    one = clocked.subscribe("acme", "month", JANUARY)
    assert act(clocked, one, "change", plan="dear", when="period_end") == "200"
    assert [change["takes_effect"] for change in shown(clocked, one)["plan_changes"]] == [True]
    assert act(clocked, one, "cancel", when="period_end") == "200"
    assert [change["takes_effect"] for change in shown(clocked, one)["plan_changes"]] == [False]
    assert act(clocked, one, "patch", ends_at="2025-02-01T00:00:01Z") == "200"
    assert [change["takes_effect"] for change in shown(clocked, one)["plan_changes"]] == [True]
    assert act(clocked, one, "uncancel") == "200"
    clocked.advance("2025-02-01T00:00:00Z")
    assert totals(clocked) == ["31.00", "62.00"]


def test_an_end_is_not_moved_over_another_subscription_of_the_same_usage(clocked: Clocked) -> None:
    for key in ("metered", "other"):
        clocked.plan(key, usage("1"))
    one = clocked.subscribe("acme", "metered", JANUARY, ends_at="2025-02-01T00:00:00Z")
    clocked.subscribe("acme", "other", "2025-02-01T00:00:00Z")
    for body in ({"ends_at": None}, {"ends_at": "2025-02-01T00:00:01Z"}):
        assert act(clocked, one, "patch", **body) == "usage_overlaps"
    assert act(clocked, one, "uncancel") == "usage_overlaps"
    assert act(clocked, one, "patch", ends_at="2025-01-15T00:00:00Z") == "200"
    assert act(clocked, one, "patch", ends_at="2025-02-01T00:00:00Z") == "200"


def test_changes_in_a_trial_work_at_once_and_cost_nothing(clocked: Clocked) -> None:
    one = clocked.subscribe("acme", "month", JANUARY, trial_days=14)
    clocked.advance("2025-01-05T00:00:00Z")
    assert act(clocked, one, "change", plan="year", seats=3) == "200"
    assert (shown(clocked, one)["plan"], shown(clocked, one)["seats"]) == ("year", 3)
    assert act(clocked, one, "change", seats=1, when="period_end") == "200"
    assert shown(clocked, one)["seat_changes"][1]["starts_at"] == "2025-01-15T00:00:00Z"
    assert act(clocked, one, "pause") == "subscription_not_running"
    clocked.advance("2025-01-15T00:00:00Z")
    assert totals(clocked) == ["702.00"]  # 351 days of the fee and of one seat
    assert act(clocked, one, "end_trial") == "not_on_trial"
    assert sound(clocked)


def test_a_trial_ended_early_charges_fees_from_that_day_and_usage_from_that_instant(clocked: Clocked) -> None:
    clocked.plan("both", fee("31", bill="in_advance"), usage("1"))
    clocked.plan("both-dear", fee("62", bill="in_advance"), usage("2"))
    clocked.api.post("coupons", {"key": "half", "percent": "50", "periods": 1})
    one = clocked.subscribe("acme", "both", JANUARY, trial_days=40, coupon="half")
    assert shown(clocked, one)["trial_ends_at"] == "2025-02-10T00:00:00Z"
    assert act(clocked, one, "change", plan="both-dear", when="period_end") == "200"
    clocked.advance("2025-01-11T12:00:00Z")
    clocked.turns("acme", 5, "2025-01-11T11:59:59Z")
    clocked.turns("acme", 3, "2025-01-11T12:00:00Z")
    assert act(clocked, one, "end_trial") == "200"
    now = shown(clocked, one)
    assert (now["status"], now["plan"], now["trial_ends_at"]) == ("active", "both-dear", "2025-01-11T12:00:00Z")
    assert act(clocked, one, "end_trial") == "not_on_trial"
    clocked.advance("2025-02-01T00:00:00Z")
    # 21 of 31 days of 62.00, half off in its first period; 3 turns at 2.00, half off, and February
    assert totals(clocked) == ["21.00", "65.00"]
    assert sound(clocked)


def test_a_trial_that_is_cancelled_at_its_end_costs_nothing(clocked: Clocked) -> None:
    one = clocked.subscribe("acme", "month", JANUARY, trial_days=14)
    clocked.advance("2025-01-05T00:00:00Z")
    assert act(clocked, one, "cancel", when="period_end") == "200"
    assert shown(clocked, one)["ends_at"] == "2025-01-15T00:00:00Z"
    assert act(clocked, one, "end_trial") == "ends_with_trial"
    assert act(clocked, one, "change", plan="dear", when="period_end") == "ends_before_change"
    assert act(clocked, one, "change", plan="dear") == "200"
    clocked.advance("2025-03-01T00:00:00Z")
    assert (totals(clocked), shown(clocked, one)["status"]) == ([], "ended")


def test_a_plan_gives_a_trial_once_where_it_says_so(clocked: Clocked) -> None:
    clocked.plan("once", fee("31", bill="in_advance"), trial_days=14, trial_once_per_customer=True)
    clocked.plan("often", fee("31", bill="in_advance"), trial_days=14)
    answer = clocked.api.get("plans/once").json()
    assert (answer["trial_once_per_customer"], clocked.api.get("plans/often").json()["trial_once_per_customer"]) == (
        True,
        False,
    )
    clocked.customer("globex")
    never = clocked.subscribe("acme", "once", "2025-01-03T00:00:00Z")
    assert act(clocked, never, "cancel", when="now") == "200"  # it never begins
    for plan, expected in (("once", 0), ("often", 14)):
        first = clocked.subscribe("acme", plan, "2025-01-01T00:00:00Z", anchor="anniversary")
        assert shown(clocked, first)["trial_days"] == 14
        assert act(clocked, first, "patch", ends_at="2025-01-01T01:00:00Z") == "200"
        again = clocked.subscribe("acme", plan, "2025-01-05T00:00:00Z")
        assert shown(clocked, again)["trial_days"] == expected
    body = {"customer": "acme", "plan": "once", "starts_at": "2025-02-05T00:00:00Z", "trial_days": 7}
    assert clocked.api.post("subscriptions", body).json()["code"] == "trial_used"
    assert shown(clocked, clocked.subscribe("globex", "once", JANUARY))["trial_days"] == 14


#: When it starts, the days of its trial, when it is cancelled, and the total that was charged by then for days that
#: never begin.
NEVER_BEGUN = {
    "at_the_instant_at_which_its_trial_ends": (JANUARY, 14, "2025-01-15T00:00:00Z", "17.00"),
    "on_its_first_day_before_it_starts": ("2025-01-15T10:00:00Z", 0, "2025-01-15T09:00:00Z", "17.00"),
    "at_the_instant_at_which_its_period_ends": (JANUARY, 0, "2025-02-01T00:00:00Z", "31.00"),
}


@pytest.mark.parametrize("grace_hours", [0, 48])
@pytest.mark.parametrize(("starts_at", "trial_days", "at", "charged"), NEVER_BEGUN.values(), ids=NEVER_BEGUN.keys())
def test_what_was_charged_for_days_that_never_begin_is_given_back(
    clocked: Clocked, starts_at: str, trial_days: int, at: str, charged: str, grace_hours: int
) -> None:
    assert clocked.api.patch("billing_policy", {"grace_hours": grace_hours}).status_code == 200
    one = clocked.subscribe("acme", "month", starts_at, trial_days=trial_days)
    clocked.advance(at)
    assert charged in {invoice["total"] for invoice in clocked.invoices()}
    assert act(clocked, one, "cancel", when="now") == "200"
    clocked.advance(at)
    clocked.advance("2025-03-01T00:00:00Z")
    by_status = {(invoice["status"], invoice["total"]) for invoice in clocked.invoices()}
    kept = {("finalized", "31.00")} if at == "2025-02-01T00:00:00Z" else set()  # all of January
    if grace_hours:  # the draft that charged them loses them
        assert by_status == kept | {("skipped", "0.00")}
    else:
        assert by_status == kept | {("finalized", charged), ("paid", f"-{charged}")}
    assert sound(clocked)


@pytest.mark.parametrize(("starts_at", "trial_days", "at", "charged"), NEVER_BEGUN.values(), ids=NEVER_BEGUN.keys())
def test_what_is_kept_for_days_after_the_end_is_found_every_night(
    clocked: Clocked, monkeypatch: pytest.MonkeyPatch, starts_at: str, trial_days: int, at: str, charged: str
) -> None:
    """The old faults, put back: no bill gave back what was charged for a period that never began."""
    one = clocked.subscribe("acme", "month", starts_at, trial_days=trial_days)
    clocked.advance(at)
    assert act(clocked, one, "cancel", when="now") == "200"

    def broken() -> list[str]:
        return [one.detail for _, found in check_all(clocked.api.organization.pk) for one in found]

    with monkeypatch.context() as faulty:
        for name in ("_never_began", "_never_charged"):
            faulty.setattr(bills, name, lambda *_: False)
        clocked.advance("2025-02-03T00:00:00Z")
        assert broken() == [f"{charged} that was charged of 'base' for days after the end is not given back"]
    clocked.advance("2025-02-03T00:00:00Z")
    assert broken() == []


def test_a_draft_of_fees_in_advance_is_emptied_by_a_change_to_arrears_on_its_day(clocked: Clocked) -> None:
    clocked.plan("arrears", fee("31"))
    clocked.api.patch("billing_policy", {"grace_hours": 48})
    one = clocked.subscribe("acme", "month", JANUARY)
    clocked.advance("2025-01-01T08:00:00Z")
    [draft] = clocked.invoices()
    assert act(clocked, one, "change", plan="arrears") == "200"
    refreshed = clocked.api.post(f"invoices/{draft['id']}/refresh", {}).json()
    assert (refreshed["status"], refreshed["total"], refreshed["lines"]) == ("draft", "0.00", [])
    assert clocked.api.post(f"invoices/{draft['id']}/finalize", {}).json()["status"] == "skipped"
    clocked.advance("2025-02-04T00:00:00Z")
    assert [one["total"] for one in clocked.invoices(status="finalized")] == ["31.00"]
    assert sound(clocked)
