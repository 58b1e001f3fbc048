"""Whatever is issued can be printed: it has lines, a PDF, and an e-invoice that the rules of the standard accept."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from facturx import xml_check_xsd

from billing.documents.making import invoice_pdf
from billing.models import Invoice
from tests.api import Api
from tests.billing.clocked import Clocked
from tests.billing.documents.conftest import ADDRESS, SELLER, fee, october
from tests.billing.documents.test_e_invoice import broken_rules, compiled_schematron

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(scope="module")
def schematron() -> Iterator[Any]:
    with compiled_schematron() as compiled:
        yield compiled


@pytest.fixture
def many(clocked: Clocked) -> Clocked:
    """Customers whose invoices total more, less and nothing, with and without tax, at the end of November 2026."""
    api, starts = clocked.api, "2026-10-01T12:00:00Z"
    assert api.patch("seller_profile", SELLER).status_code == 200
    clocked.plan("advance", fee("base", "31", bill="in_advance"), currency="EUR")
    clocked.plan("yearly", fee("base", "365", bill="in_advance"), currency="EUR", interval="year")
    turns = {"key": "turns", "kind": "usage", "meter": "turns", "model": {"type": "per_unit", "unit_amount": "1"}}
    clocked.plan("turns", turns, currency="EUR")
    clocked.plan("free", fee("base", "0"), currency="EUR")
    for key, percent in (("all", "100"), ("third", "33.3")):
        assert api.post("coupons", {"key": key, "percent": percent}).status_code == 201
    customers: dict[str, tuple[str, dict[str, Any], dict[str, Any]]] = {
        "plain": ("advance", {}, {}),
        "discounted-away": ("advance", {}, {"coupon": "all"}),
        "a-third": ("yearly", {}, {"coupon": "third"}),
        "nothing-used": ("turns", {}, {}),
        "costs-nothing": ("free", {"tax_rate": "0"}, {}),
        "reverse": ("advance", {"tax_treatment": "reverse_charge", "tax_id": "ATU12345678"}, {}),
        "exempt": ("yearly", {"tax_treatment": "exempt"}, {}),
        "leaves": ("yearly", {}, {}),
        "ends": ("advance", {}, {}),
        "switches": ("yearly", {}, {}),
    }
    ids = {}
    for key, (plan, fields, terms) in customers.items():
        defaults = {"name": key, "currency": "EUR", "tax_rate": "0.19", "address": ADDRESS}
        clocked.customer(key, **(defaults | fields))
        ids[key] = clocked.subscribe(key, plan, starts, **terms)
    clocked.advance("2026-10-11T12:00:00Z")
    for key, action, body in (
        ("leaves", "cancel", {"when": "now"}),
        ("ends", "cancel", {"when": "period_end"}),
        ("switches", "change", {"plan": "advance"}),
        ("a-third", "change", {"plan": "advance"}),
    ):
        assert api.post(f"subscriptions/{ids[key]}/{action}", body).status_code == 200
    for amount in ("100.00", "-100.00"):
        body = {"customer": "costs-nothing", "description": "by hand", "amount": amount, "tax_rate": "0.19"}
        api.post("charges", body)
    clocked.advance("2026-12-01T12:00:00Z")
    return clocked


def test_every_issued_invoice_has_lines_a_pdf_and_an_e_invoice(many: Clocked, schematron: Any, tmp_path: Path) -> None:
    found = many.invoices(limit="200")
    totals = {float(one["total"]) for one in found}
    assert min(totals) < 0.0 < max(totals)
    assert 0.0 in totals
    for one in found:
        assert one["lines"], one
        pdf = many.api.get(f"invoices/{one['id']}/pdf")
        assert pdf.status_code == 200, pdf.content
        assert pdf.content.startswith(b"%PDF")
        xml = many.api.get(f"invoices/{one['id']}/xml")
        assert xml.status_code == 200, (one["customer"], xml.content)
        assert xml_check_xsd(xml.content, flavor="factur-x", level="en16931")
        assert broken_rules(schematron, tmp_path, xml.content) == [], one
    numbers = [one["number"] for one in sorted(found, key=lambda one: one["number"])]
    assert numbers == [f"INV-{number:06d}" for number in range(1, len(found) + 1)]
    ends = [one for one in found if one["customer"] == "ends"]
    assert [one["total"] for one in ends] == ["36.89"]  # 31.00 with 19 %, and nothing when it ended


def test_an_invoice_without_lines_of_before_still_has_a_pdf_and_is_refused_as_e_invoice(seller: Clocked) -> None:
    empty = Invoice.objects.get(pk=october(seller)["id"])
    empty.pk, empty.number, empty.kind = "inv_of_before", "INV-900000", "one_off"
    empty.period_start -= timedelta(days=400)
    for name in ("subtotal", "discount", "tax", "total", "credits_applied", "amount_due"):
        setattr(empty, name, 0)
    empty.save(force_insert=True)
    assert invoice_pdf(Invoice.objects.get(pk="inv_of_before")).startswith(b"%PDF")
    answer = seller.api.get("invoices/inv_of_before/xml")
    assert (answer.status_code, answer.json()["code"]) == (422, "e_invoice_impossible")
    assert seller.api.get("invoices/inv_of_before").json()["lines"] == []


def test_a_draft_that_has_no_lines_left_is_skipped(clocked: Clocked) -> None:
    """A year paid in advance, given back by the draft that ends it; the whole year is credited while it waits."""
    api: Api = clocked.api
    clocked.plan("yearly", fee("base", "365", bill="in_advance"), currency="EUR", interval="year")
    assert api.patch("billing_policy", {"grace_hours": 48}).status_code == 200
    clocked.customer("waits", currency="EUR", address=ADDRESS)
    subscription = clocked.subscribe("waits", "yearly", "2026-12-01T12:00:00Z")
    clocked.advance("2026-12-03T13:00:00Z")
    [opening] = clocked.invoices(customer="waits")
    assert opening["status"] == "finalized"
    assert api.post(f"subscriptions/{subscription}/cancel", {"when": "now"}).status_code == 200
    clocked.advance("2026-12-04T12:00:00Z")
    [draft] = [one for one in clocked.invoices(customer="waits") if one["status"] == "draft"]
    assert draft["total"].startswith("-")
    assert api.post(f"invoices/{opening['id']}/void", {}).status_code == 200
    answer = api.post(f"invoices/{draft['id']}/finalize", {})
    assert answer.status_code == 200, answer.content
    assert (answer.json()["status"], answer.json()["number"], answer.json()["lines"]) == ("skipped", None, [])
