"""Budgets in the console: seen by everyone, set by those who may."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from budgets.facade import Ask, Budget, budgets_of, check_entitlement, create_budget, evaluate_budgets, get_budget
from kernel.clock import system_clock
from tests.console.conftest import Vendor, turns

STEPS = [{"percent": "80", "actions": ["mail"]}, {"percent": "100", "actions": ["stop"]}]


def a_budget(vendor: Vendor, amount: str = "10", **fields: Any) -> Budget:
    fields = {
        "key": "cap",
        "name": "Cap",
        "measure": {"meter": "turns"},
        "period": "total",
        "thresholds": STEPS,
    } | fields
    return create_budget(organization=vendor.organization, amount=Decimal(amount), **fields)


def filled_in(**fields: str) -> dict[str, str]:
    return {
        "name": "Acme's turns", "key": "acme-turns", "scope": "customer", "customer": "acme", "agent": "", "plan": "",
        "measure": "meter", "meter": "turns", "filter": "", "amount": "10", "currency": "", "period": "month",
        "timezone": "Europe/Berlin", "thresholds": "80% mail webhook ops@vendor.example\n\n100 stop",
    } | fields  # fmt: skip


@pytest.mark.django_db
def test_the_list_shows_how_far_each_has_come(vendor: Vendor) -> None:
    assert "No budgets yet" in vendor.client.get("/budgets").content.decode()
    vendor.customer("fresh")
    one = a_budget(vendor, scope="customer", customer="fresh")
    vendor.record(turns("fresh", 8, start=datetime(2026, 10, 5, 9, tzinfo=UTC)))
    evaluate_budgets(now=system_clock())
    ask = Ask(customer="fresh", meter="turns", reserve=True)
    check_entitlement(organization_id=vendor.organization.pk, ask=ask, now=system_clock())
    page = vendor.client.get("/budgets").content.decode()
    assert "threshold reached" in page
    assert 'aria-label="80.0 percent used, with what is reserved 90.0"' in page
    shown = vendor.client.get(f"/budgets/{one.pk}").content.decode()
    assert "Agents that ask are stopped at" in shown
    assert "owners, admins and finance" in shown
    assert "What was reached" in shown
    assert "No threshold was reached yet" not in shown


@pytest.mark.django_db
def test_the_list_is_filtered_by_what_budgets_are_of(vendor: Vendor) -> None:
    a_budget(vendor, key="all", name="Of everything")
    a_budget(vendor, key="acme", name="Of Acme", scope="customer", customer="acme")
    a_budget(vendor, key="desk", name="Of the desk", scope="agent", agent="desk")

    def listed(query: str) -> list[str]:
        page = vendor.client.get(f"/budgets?{query}").content.decode()
        return [name for name in ("Of everything", "Of Acme", "Of the desk") if f">{name}</a>" in page]

    assert listed("") == ["Of everything", "Of Acme", "Of the desk"]
    assert listed("scope=agent") == ["Of the desk"]
    assert listed("customer=acme") == ["Of Acme"]
    assert listed("agent=desk&scope=agent") == ["Of the desk"]
    assert listed("plan=activity") == []
    assert "There is no customer" in vendor.client.get("/budgets?customer=nobody").content.decode()
    assert "No budget fits" in vendor.client.get("/budgets?scope=moon").content.decode()


@pytest.mark.django_db
def test_an_amount_may_be_typed_in_the_reader_s_way(vendor: Vendor) -> None:
    german = {"headers": {"Accept-Language": "de-DE"}}
    assert vendor.client.post("/budgets/new", filled_in(amount="1,000")).status_code == 422
    assert vendor.client.post("/budgets/new", filled_in(amount="12,50"), **german).status_code == 302
    assert get_budget(organization_id=vendor.organization.pk, budget="acme-turns").amount == Decimal("12.5")


@pytest.mark.django_db
def test_a_budget_is_made_by_a_form_with_all_that_the_api_can(vendor: Vendor) -> None:
    assert "acme" in vendor.client.get("/budgets/new?customer=acme").content.decode()
    answer = vendor.client.post("/budgets/new", filled_in())
    one = get_budget(organization_id=vendor.organization.pk, budget="acme-turns")
    assert (answer.status_code, answer.headers["Location"]) == (302, f"/budgets/{one.pk}")
    assert (one.customer.key, one.meter.key, one.timezone) == ("acme", "turns", "Europe/Berlin")
    assert one.thresholds == [
        {"percent": "80", "actions": ["mail", "webhook"], "recipients": ["ops@vendor.example"]},
        {"percent": "100", "actions": ["stop"], "recipients": []},
    ]


@pytest.mark.django_db
def test_a_budget_on_a_meter_counts_only_where_its_form_says(vendor: Vendor) -> None:
    answer = vendor.client.post("/budgets/new", filled_in(filter="agent=support"))
    assert answer.status_code == 302
    assert get_budget(organization_id=vendor.organization.pk, budget="acme-turns").filter == {"agent": "support"}
    assert "agent support" in vendor.client.get("/budgets").content.decode()


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"meter": ""}, "Choose the meter"),
        ({"amount": "0"}, "more than nothing"),
        ({"filter": "planet=mars"}, "no dimension"),
        ({"measure": "cost", "meter": "", "filter": "agent=support"}, "counted by dimensions"),
        ({"customer": ""}, "says which customer"),
        ({"customer": "nobody"}, "There is no customer"),
        ({"thresholds": "often mail"}, "percent is a decimal"),
        ({"thresholds": "80"}, "actions is a list"),
        ({"thresholds": "80 mail nobody"}, "no mail address"),
        ({"timezone": "Mars"}, "not an IANA time zone"),
        ({"measure": "spend", "meter": ""}, "known by the"),
    ],
)
def test_what_is_wrong_is_said_in_the_form_and_nothing_is_made(
    vendor: Vendor, fields: dict[str, str], said: str
) -> None:
    answer = vendor.client.post("/budgets/new", filled_in(**fields))
    assert answer.status_code in (404, 422)
    assert said in answer.content.decode()
    assert not budgets_of(vendor.organization.pk).exists()


@pytest.mark.django_db
def test_a_budget_is_changed_and_removed(vendor: Vendor) -> None:
    one = a_budget(vendor)
    form = vendor.client.get(f"/budgets/{one.pk}/edit").content.decode()
    assert "80 mail\n100 stop" in form
    body = {"name": "Cap", "amount": "25.5", "thresholds": "90 webhook"}
    assert vendor.client.post(f"/budgets/{one.pk}/edit", body).status_code == 302
    changed = get_budget(organization_id=vendor.organization.pk, budget="cap")
    assert (changed.amount, changed.thresholds[0]["percent"]) == (Decimal("25.5"), "90")
    assert vendor.client.post(f"/budgets/{one.pk}/remove").status_code == 302
    assert not budgets_of(vendor.organization.pk).exists()
    assert vendor.client.get(f"/budgets/{one.pk}").status_code == 404


@pytest.mark.django_db
def test_a_viewer_sees_budgets_and_sets_none(vendor: Vendor) -> None:
    one = a_budget(vendor)
    viewer = vendor.member("viewer")
    page = viewer.get("/budgets").content.decode()
    assert "Cap" in page
    assert "New budget" not in page
    assert viewer.post("/budgets/new", filled_in()).status_code == 403
    assert viewer.post(f"/budgets/{one.pk}/remove").status_code == 403
