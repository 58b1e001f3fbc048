"""Stories that cross features: what one part gives, another does not give again, and the books stay whole."""

from __future__ import annotations

from typing import Any

import pytest

from billing.invariants import check_all
from tests.api import Api
from tests.billing.clocked import Clocked, fee, usage
from tests.billing.documents.valid import BUYER, documents_are_valid, name_the_seller

pytestmark = pytest.mark.django_db(transaction=True)

PER_UNIT = {"key": "unit", "kind": "seat", "model": {"type": "per_unit", "unit_amount": "31"}}


@pytest.fixture
def clocked(vendor: Api) -> Clocked:
    """A customer `acme` on a clock at 1 October 2026. When its story is told, no law of the books is broken."""
    name_the_seller(vendor)
    clocked = Clocked.at(vendor, "2026-10-01T00:00:00Z")
    clocked.customer("acme", **BUYER)
    return clocked


def post(clocked: Clocked, path: str, body: dict[str, Any] | None = None) -> Any:
    answer = clocked.api.post(path, body or {})
    assert answer.status_code in {200, 201}, answer.content
    return answer.json()


def totals(clocked: Clocked) -> list[str]:
    """Of all invoices in their order; the books are whole, and the documents as the standard has them."""
    assert not [found for _, found in check_all(clocked.api.organization.pk) if found]
    assert documents_are_valid(clocked.api)
    return [one["total"] for one in sorted(clocked.invoices(), key=lambda one: one["number"] or "")]


def cancelled_on_10_october(clocked: Clocked, subscription: str) -> None:
    clocked.advance("2026-10-10T00:00:00Z")
    post(clocked, f"subscriptions/{subscription}/cancel", {"when": "now"})
    clocked.advance("2026-11-10T00:00:00Z")


def test_who_cancels_on_trial_owes_nothing(clocked: Clocked) -> None:
    clocked.plan("base", fee("31"))
    subscription = clocked.subscribe("acme", "base", trial_days=14)
    clocked.advance("2026-10-05T00:00:00Z")
    post(clocked, f"subscriptions/{subscription}/cancel", {"when": "now"})
    clocked.advance("2027-01-02T00:00:00Z")
    assert totals(clocked) == []


def test_the_time_zone_is_settled_with_the_first_subscription_so_that_no_day_is_billed_twice(clocked: Clocked) -> None:
    clocked.plan("base", fee("31"))
    clocked.api.patch("customers/acme", {"timezone": "Europe/Berlin"})
    clocked.subscribe("acme", "base")
    answer = clocked.api.patch("customers/acme", {"timezone": "Pacific/Kiritimati"})
    assert (answer.status_code, answer.json()["code"]) == (409, "timezone_settled")
    assert clocked.api.patch("customers/acme", {"timezone": "Europe/Berlin"}).status_code == 200


def test_the_currency_is_settled_by_what_waits_in_it(clocked: Clocked) -> None:
    post(clocked, "charges", {"customer": "acme", "description": "setup", "amount": "5"})
    answer = clocked.api.patch("customers/acme", {"currency": "EUR"})
    assert (answer.status_code, answer.json()["code"]) == (409, "currency_settled")


def test_an_expired_coupon_is_not_redeemed_by_starting_in_the_past(clocked: Clocked) -> None:
    clocked.plan("base", fee("31"))
    post(clocked, "coupons", {"key": "half", "percent": "50", "expires_at": "2026-09-15T00:00:00Z"})
    body = {"customer": "acme", "plan": "base", "starts_at": "2026-09-01T00:00:00Z", "coupon": "half"}
    answer = clocked.api.post("subscriptions", body)
    assert (answer.status_code, answer.json()["code"]) == (409, "coupon_unavailable")


def test_a_coupon_holds_from_the_start_of_a_backdated_subscription(clocked: Clocked) -> None:
    """29 of 30 days are 29.97; half of it, 14.985, is 14.99 off."""
    clocked.plan("base", fee("31"))
    post(clocked, "coupons", {"key": "half", "percent": "50", "periods": 1})
    clocked.subscribe("acme", "base", "2026-09-02T00:00:00Z", coupon="half")
    clocked.advance("2026-11-01T00:00:00Z")
    assert totals(clocked) == ["14.98", "31.00"]


def test_what_a_void_gave_back_is_not_given_back_again_by_a_cancellation(clocked: Clocked) -> None:
    clocked.plan("base", fee("31", bill="in_advance"))
    subscription = clocked.subscribe("acme", "base")
    clocked.advance("2026-10-01T00:00:00Z")
    [opening] = clocked.invoices()
    post(clocked, f"invoices/{opening['id']}/void")
    cancelled_on_10_october(clocked, subscription)
    assert totals(clocked) == ["31.00"]


@pytest.mark.parametrize(("credited", "back"), [("31", []), ("25", ["-6.00"]), ("4", ["-21.00"])])
def test_what_a_credit_note_gave_back_is_not_given_back_again_by_a_cancellation(
    clocked: Clocked, credited: str, back: list[str]
) -> None:
    """31.00 for October, ended on the 10th: 21.00 are not used, and no more is given back than is left."""
    clocked.plan("base", fee("31", bill="in_advance"))
    subscription = clocked.subscribe("acme", "base")
    clocked.advance("2026-10-01T00:00:00Z")
    [opening] = clocked.invoices()
    line = {"line": opening["lines"][0]["id"], "amount": credited}
    post(clocked, f"invoices/{opening['id']}/pay")
    post(clocked, "credit_notes", {"invoice": opening["id"], "lines": [line], "refund": "refund"})
    cancelled_on_10_october(clocked, subscription)
    assert totals(clocked) == ["31.00", *back]


def test_a_discounted_fee_that_was_credited_in_part_gives_back_what_is_left_of_it(clocked: Clocked) -> None:
    """62.00 less half are 31.00 paid. A note of 25.00 leaves 6.00, which is less than the 21.00 that are not used."""
    clocked.plan("base", fee("62", bill="in_advance"))
    post(clocked, "coupons", {"key": "half", "percent": "50"})
    subscription = clocked.subscribe("acme", "base", coupon="half")
    clocked.advance("2026-10-01T00:00:00Z")
    [opening] = clocked.invoices()
    line = {"line": opening["lines"][0]["id"], "amount": "25"}
    post(clocked, "credit_notes", {"invoice": opening["id"], "lines": [line]})
    cancelled_on_10_october(clocked, subscription)
    assert totals(clocked) == ["31.00", "-6.00"]


def test_a_fee_given_back_is_taxed_as_it_was_charged(clocked: Clocked) -> None:
    """310.00 and 58.90 of tax for October, ended on the 10th: 210.00 come back with 39.90."""
    clocked.api.patch("customers/acme", {"tax_rate": "0.19"})
    clocked.plan("base", fee("310", bill="in_advance"))
    subscription = clocked.subscribe("acme", "base")
    clocked.advance("2026-10-01T00:00:00Z")
    clocked.api.patch("customers/acme", {"tax_treatment": "reverse_charge"})
    cancelled_on_10_october(clocked, subscription)
    assert totals(clocked) == ["368.90", "-249.90"]


def test_late_usage_of_an_invoice_that_is_voided_is_not_charged(clocked: Clocked) -> None:
    clocked.plan("turns", usage("1"))
    clocked.subscribe("acme", "turns")
    clocked.turns("acme", 3, "2026-10-05T00:00:00Z")
    clocked.advance("2026-11-02T00:00:00Z")
    clocked.turns("acme", 2, "2026-10-06T00:00:00Z")
    clocked.advance("2026-11-03T00:00:00Z")
    assert clocked.upcoming("acme")["total"] == "2.00"
    [october] = clocked.invoices()
    post(clocked, f"invoices/{october['id']}/void")
    clocked.advance("2026-12-03T00:00:00Z")
    assert totals(clocked) == ["3.00", "0.00"]


def test_an_add_on_that_is_to_end_is_replaced_by_one_that_begins_before(clocked: Clocked) -> None:
    """31.00 of the plan; one unit on 10 days, 10.00, and two on 21 days, 42.00."""
    clocked.plan("base", fee("31"))
    clocked.plan("extra", PER_UNIT, add_on=True)
    subscription = clocked.subscribe("acme", "base")
    post(clocked, f"subscriptions/{subscription}/add_ons", {"plan": "extra"})
    post(clocked, f"subscriptions/{subscription}/add_ons/extra/remove", {"when": "period_end"})
    clocked.advance("2026-10-11T00:00:00Z")
    post(clocked, f"subscriptions/{subscription}/add_ons", {"plan": "extra", "quantity": 2})
    clocked.advance("2026-11-01T00:00:00Z")
    assert totals(clocked) == ["83.00"]


@pytest.mark.parametrize(("when", "expected"), [("now", ["62.00", "3.00"]), ("period_end", ["31.00", "3.00"])])
def test_who_is_to_leave_a_plan_leaves_it_though_it_is_migrated(
    clocked: Clocked, when: str, expected: list[str]
) -> None:
    clocked.plan("base", fee("31"))
    clocked.plan("small", fee("3"))
    subscription = clocked.subscribe("acme", "base")
    post(clocked, f"subscriptions/{subscription}/change", {"plan": "small", "when": "period_end"})
    post(clocked, "plans/base/versions", {"prices": [fee("62")]})
    moved = post(clocked, "plans/base/migrations", {"when": when})
    assert moved["moved"] == (1 if when == "now" else 0)
    clocked.advance("2026-12-01T00:00:00Z")
    assert totals(clocked) == expected


def test_a_migration_moves_customers_on_a_clock_by_their_clock(clocked: Clocked) -> None:
    clocked.plan("base", fee("31"))
    clocked.subscribe("acme", "base")
    post(clocked, "plans/base/versions", {"prices": [fee("62")]})
    assert post(clocked, "plans/base/migrations", {"when": "period_end"})["moved"] == 1
    clocked.advance("2026-12-01T00:00:00Z")
    assert totals(clocked) == ["31.00", "62.00"]


def test_a_clock_that_is_moved_looks_at_thresholds(clocked: Clocked) -> None:
    """6 turns pass 5.00; 2 more do not. The period's own invoice charges 8.00 less 6.00."""
    clocked.plan("turns", usage("1"), invoice_threshold="5")
    clocked.subscribe("acme", "turns")
    clocked.turns("acme", 6, "2026-10-05T00:00:00Z")
    clocked.advance("2026-10-10T00:00:00Z")
    clocked.turns("acme", 2, "2026-10-12T00:00:00Z")
    clocked.advance("2026-10-20T00:00:00Z")
    assert totals(clocked) == ["6.00"]
    clocked.advance("2026-11-01T00:00:00Z")
    assert totals(clocked) == ["6.00", "2.00"]


def test_a_clock_that_is_moved_invoices_late_usage_of_who_has_left(clocked: Clocked) -> None:
    clocked.plan("turns", usage("1"))
    subscription = clocked.subscribe("acme", "turns")
    clocked.turns("acme", 6, "2026-10-05T00:00:00Z")
    cancelled_on_10_october(clocked, subscription)
    clocked.turns("acme", 2, "2026-10-06T00:00:00Z")
    clocked.advance("2026-11-15T00:00:00Z")
    clocked.advance("2026-12-15T00:00:00Z")
    assert totals(clocked) == ["6.00", "2.00"]


def test_an_amount_that_no_line_holds_stops_no_invoice(clocked: Clocked) -> None:
    clocked.plan("turns", usage("1000000000000000000"))
    clocked.plan("base", fee("31"))
    body = {"customer": "acme", "description": "x", "quantity": "2", "unit_amount": "1000000000000000000"}
    answer = clocked.api.post("charges", body)
    assert (answer.status_code, answer.json()["code"]) == (422, "amount_out_of_range")
    clocked.subscribe("acme", "turns")
    clocked.turns("acme", 2, "2026-10-05T00:00:00Z")
    assert clocked.api.get("customers/acme/upcoming_invoice").json()["code"] == "amount_out_of_range"


def test_a_subscription_is_not_changed_to_an_add_on(clocked: Clocked) -> None:
    clocked.plan("base", fee("31"))
    clocked.plan("extra", PER_UNIT, add_on=True)
    subscription = clocked.subscribe("acme", "base")
    answer = clocked.api.post(f"subscriptions/{subscription}/change", {"plan": "extra", "seats": 1})
    assert (answer.status_code, answer.json()["code"]) == (422, "plan_is_an_add_on")


def test_credit_that_comes_back_to_a_voided_grant_can_be_voided_too(clocked: Clocked) -> None:
    clocked.plan("base", fee("31"))
    grant = {"customer": "acme", "name": "welcome", "amount": "20", "currency": "USD", "source": "purchase"}
    made = post(clocked, "credit_grants", grant)
    clocked.subscribe("acme", "base")
    clocked.advance("2026-11-01T00:00:00Z")
    assert post(clocked, f"credit_grants/{made['id']}/void")["balance"] == "0.00"
    [october] = clocked.invoices()
    assert (october["credits_applied"], october["amount_due"]) == ("20.00", "11.00")
    post(clocked, f"invoices/{october['id']}/void")
    for _ in range(2):
        assert post(clocked, f"credit_grants/{made['id']}/void")["balance"] == "0.00"
    clocked.advance("2026-12-01T00:00:00Z")
    assert clocked.upcoming("acme")["credits_applied"] == "0.00"
    assert totals(clocked) == ["31.00", "31.00"]


def test_what_a_credit_note_gave_back_of_usage_is_not_given_back_again_when_the_usage_is_taken_back(
    clocked: Clocked,
) -> None:
    """3.00 for October, all of it credited. One turn less is 1.00 less, of which nothing is left."""
    clocked.plan("turns", usage("1"))
    clocked.subscribe("acme", "turns")
    clocked.turns("acme", 3, "2026-10-05T00:00:00Z")
    clocked.advance("2026-11-02T00:00:00Z")
    [october] = clocked.invoices()
    post(clocked, "credit_notes", {"invoice": october["id"]})
    post(clocked, "events/void", {"source": "test", "id": "acme-2026-10-05T00:00:00Z-0", "reason": "disputed"})
    clocked.advance("2026-12-03T00:00:00Z")
    assert totals(clocked) == ["3.00", "0.00"]


def test_a_migration_is_refused_in_its_preview_as_it_would_be(clocked: Clocked) -> None:
    clocked.plan("base", fee("31"))
    clocked.subscribe("acme", "base")
    post(clocked, "plans/base/versions", {"currency": "EUR", "prices": [fee("31")]})
    for preview in (True, False):
        answer = clocked.api.post("plans/base/migrations", {"preview": preview})
        assert (answer.status_code, answer.json()["code"]) == (422, "currency_mismatch")


def test_an_override_names_each_price_once(clocked: Clocked) -> None:
    clocked.plan("base", fee("31"))
    subscription = clocked.subscribe("acme", "base")
    own = {"key": "base", "model": {"type": "flat", "amount": "1"}}
    answer = clocked.api.post(f"subscriptions/{subscription}/overrides", {"prices": [own, own]})
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["pointer"] == "/prices/1/key"


def test_what_threshold_invoices_charged_is_taken_off_with_the_tax_that_it_had_last(clocked: Clocked) -> None:
    """6.00 at 10 %; then 12.00 at 20 % less these; then 12.00 without tax, less 12.00 at 20 %."""
    clocked.plan("turns", usage("1"), invoice_threshold="5")
    clocked.subscribe("acme", "turns")
    for rate, day in (("0.1", "10"), ("0.2", "20")):
        clocked.api.patch("customers/acme", {"tax_rate": rate})
        clocked.turns("acme", 6, f"2026-10-{day}T00:00:00Z")
        clocked.advance(f"2026-10-{day}T00:00:00Z")
    clocked.api.patch("customers/acme", {"tax_rate": "0"})
    clocked.advance("2026-11-01T00:00:00Z")
    assert totals(clocked) == ["6.60", "7.80", "-2.40"]
