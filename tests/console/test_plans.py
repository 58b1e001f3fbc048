"""Plans in the console: made and versioned in a form, drawn as curves, compared, migrated and archived."""

from __future__ import annotations

import csv
import io
import json
from decimal import Decimal
from html import unescape
from typing import Any

import pytest

from accounts.models import AuditEntry
from billing.contracts import PlanMigration
from billing.facade import Plan, get_plan, newest_version
from billing.tasks import work_migration
from tests.console.conftest import Vendor
from tests.console.test_invoices import text

#: $20 a month, and $0.10 a turn up to 100, $0.05 from there on.
SENT = {
    "name": "Growth", "key": "growth", "currency": "USD", "interval": "month", "interval_count": "1",
    "trial_days": "14", "prices-count": "2",
    "prices-0-key": "base", "prices-0-kind": "fixed", "prices-0-type": "flat", "prices-0-amount": "20",
    "prices-0-bill": "in_advance", "prices-0-prorate": "on",
    "prices-1-key": "turns", "prices-1-kind": "usage", "prices-1-meter": "turns", "prices-1-type": "graduated",
    "prices-1-prorate": "on", "prices-1-tiers-count": "2", "prices-1-tiers-0-up_to": "100",
    "prices-1-tiers-0-unit_amount": "0.10", "prices-1-tiers-1-unit_amount": "0.05",
}  # fmt: skip


def plan_of(vendor: Vendor, key: str) -> Plan:
    return get_plan(organization_id=vendor.organization.pk, plan=key)


def curve(page: bytes) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(unescape(page.decode().split('<data id="curve-data" hidden>')[1].split("<")[0]))
    return found


def amounts(page: bytes, line: int = 0) -> dict[Decimal, Decimal]:
    return {Decimal(x): Decimal(y) for x, y in curve(page)["series"][line]["points"]}


def test_a_plan_is_made_in_a_form(empty: Vendor) -> None:
    page = empty.client.post("/plans/new", SENT, follow=True)
    assert "Growth is made." in text(page.content)
    version = newest_version(plan_of(empty, "growth"))
    assert (version.trial_days, version.currency) == (14, "USD")
    assert [(one.key, one.bill) for one in version.prices.all()] == [("base", "in_advance"), ("turns", "in_arrears")]
    assert AuditEntry.objects.filter(action="plan.create").exists()


@pytest.mark.parametrize(
    ("changed", "field"),
    [
        ({"key": ""}, "key"),
        ({"key": "a b"}, "key"),
        ({"currency": "dollars"}, "currency"),
        ({"prices-1-meter": "moons"}, "prices-1-meter"),
        ({"prices-1-tiers-0-unit_amount": "much"}, "prices-1-tiers-0-unit_amount"),
        ({"prices-1-tiers-0-up_to": ""}, "prices-1-tiers-0-up_to"),
        ({"prices-0-amount": ""}, "prices-0-amount"),
        ({"prices-1-minimum": "9", "prices-1-maximum": "3"}, "prices-1-minimum"),
        ({"minimum_commitment": "-1"}, "minimum_commitment"),
        ({"prices-1-tax_rate": "1900"}, "prices-1-tax_rate"),
        ({"trial_days": "<b>"}, "trial_days"),
    ],
)
def test_what_is_wrong_is_said_at_its_field(empty: Vendor, changed: dict[str, str], field: str) -> None:
    page = empty.client.post("/plans/new", SENT | changed)
    assert page.status_code == 422
    assert f'id="{field}-errors"' in page.content.decode()
    assert not Plan.objects.exists()


def test_hostile_forms_make_nothing(empty: Vendor) -> None:
    for sent in ({}, {"prices-count": "999999"}, {"prices-count": "-1"}, SENT | {"name": "a\x00<script>"}):
        answer = empty.client.post("/plans/new", sent)
        assert answer.status_code in {302, 422}
        assert b"<script>a" not in answer.content
    for what in ("remove-99", "tier-0-0-0", "up-x", "-1", "untier-1"):
        assert empty.client.post("/plans/new", SENT | {"do": what}).status_code == 200


def test_rows_are_added_moved_and_removed_without_a_script(empty: Vendor) -> None:
    page = empty.client.post("/plans/new", SENT | {"do": "add"}).content.decode()
    assert 'name="prices-count" value="3"' in page
    page = empty.client.post("/plans/new", SENT | {"do": "up-1"}).content.decode()
    assert 'name="prices-0-key" id="prices-0-key" value="turns"' in page
    page = empty.client.post("/plans/new", SENT | {"do": "tier-1"}).content.decode()
    assert 'name="prices-1-tiers-count" value="3"' in page
    page = empty.client.post("/plans/new", SENT | {"do": "remove-0"}).content.decode()
    assert 'name="prices-count" value="1"' in page
    assert not Plan.objects.exists()


def test_the_preview_draws_what_invoices_would_charge(empty: Vendor) -> None:
    page = empty.client.post("/plans/preview", SENT | {"view-meter": "turns", "view-up_to": "200"}).content
    found = amounts(page)
    # 20; 20 + 100 x 0.10; 20 + 100 x 0.10 + 100 x 0.05
    assert (found[Decimal(0)], found[Decimal(100)], found[Decimal(200)]) == (20, 30, 35)
    page = empty.client.post("/plans/preview", SENT | {"prices-0-amount": "lots"}).content
    assert "when the prices are complete" in text(page)


def test_a_step_is_drawn_as_a_step(empty: Vendor) -> None:
    package = {"prices-1-type": "package", "prices-1-package_size": "100", "prices-1-package_amount": "7"}
    found = amounts(empty.client.post("/plans/preview", SENT | package | {"view-up_to": "200"}).content)
    assert (found[Decimal(100)], found[Decimal("100.0000002")], found[Decimal(200)]) == (27, 34, 34)


def test_a_further_version_begins_with_the_last_and_is_for_new_customers(vendor: Vendor) -> None:
    shown = vendor.client.get("/plan/hybrid/version").content.decode()
    assert 'value="0.04"' in shown
    sent = SENT | {"prices-1-tiers-1-unit_amount": "0.02"}
    vendor.client.post("/plan/hybrid/version", sent)
    plan = plan_of(vendor, "hybrid")
    assert (plan.name, newest_version(plan).number, newest_version(plan).trial_days) == ("Hybrid", 2, 0)
    page = text(vendor.client.get("/plan/hybrid").content)
    assert "v2 newest" in page
    assert "Birch & Sons" in page.replace("&amp;", "&")


def test_versions_are_compared_side_by_side_with_a_csv(vendor: Vendor) -> None:
    vendor.client.post("/plan/hybrid/version", SENT)
    ids = [one.pk for one in plan_of(vendor, "hybrid").versions.all()]
    query = f"version={ids[0]}&version={ids[1]}&meter=turns&up_to=1000"
    page = vendor.client.get(f"/plans/compare?{query}").content
    # 49 + 500 x 0.04 beyond the 500 included; 20 + 10 + 900 x 0.05
    assert (amounts(page, 0)[Decimal(1000)], amounts(page, 1)[Decimal(1000)]) == (69, 75)
    rows = list(csv.reader(io.StringIO(vendor.client.get(f"/plans/compare.csv?{query}").content.decode())))
    assert rows[0] == ["Usage (turn)", "Just over", "Hybrid v1 (USD)", "Hybrid v2 (USD)"]
    assert rows[-1] == ["1000", "", "69.00", "75.00"]
    assert vendor.client.get("/plans/compare?version=other&up_to=x").status_code == 200


def test_customers_are_migrated_after_a_preview(vendor: Vendor) -> None:
    vendor.client.post("/plan/hybrid/version", SENT)
    sent = {"to_version": "2", "when": "now"}
    assert "1 subscription move" in text(vendor.client.post("/plan/hybrid/migrate", sent | {"preview": "1"}).content)
    assert not PlanMigration.objects.exists()
    vendor.client.post("/plan/hybrid/migrate", sent)
    migration = PlanMigration.objects.get()
    work_migration(migration_id=migration.pk)
    migration.refresh_from_db()
    assert (migration.status, migration.moved, migration.total) == ("succeeded", 1, 1)
    page = text(vendor.client.get("/plan/hybrid").content)
    assert "1 of 1 moved" in page
    assert "Birch &amp; Sons birch v2" in page


def test_an_archived_plan_is_offered_to_nobody_new(vendor: Vendor) -> None:
    vendor.client.post("/plan/hybrid/archive")
    assert "hybrid \u00b7 v1" not in text(vendor.client.get("/plans").content.split(b"</h1>")[1])
    assert "Hybrid" in text(vendor.client.get("/plans?archived").content)
    vendor.client.post("/plan/hybrid/archive")
    assert plan_of(vendor, "hybrid").archived_at is None


@pytest.mark.parametrize("role", ["viewer", "developer"])
def test_those_without_a_role_for_money_look_and_change_nothing(vendor: Vendor, role: str) -> None:
    member = vendor.member(role)
    assert member.get("/plan/hybrid").status_code == 200
    for address in ("/plans/new", "/plan/hybrid/version", "/plan/hybrid/migrate", "/plan/hybrid/archive"):
        assert member.get(address).status_code == 403, address
        assert member.post(address, SENT).status_code == 403, address


def test_what_the_curve_still_needs_is_said_in_the_words_of_the_form(empty: Vendor) -> None:
    page = text(empty.client.get("/plans/new").content)
    assert "Base fee: amount is missing." in page
    assert "usage: unit amount is missing." in page
    assert "/prices/" not in page
