"""The three FOCUS files: they join, tie to the cent, and keep the specification."""

from __future__ import annotations

import json
from collections import defaultdict
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from billing.facade import invoices_of
from exports.services.writing import write_tables
from exports.tables import Selection
from kernel.period import Month
from tests.api import Api
from tests.exports.agents_vendor import busy_october
from tests.exports.vendor import OCTOBER

pytestmark = pytest.mark.django_db

Rows = list[dict[str, Any]]


@pytest.fixture
def vendor(api: Api) -> Api:
    busy_october(api)
    return api


def focus(api: Api, directory: Path, month: Month = OCTOBER) -> tuple[Rows, Rows, Rows]:
    """Cost and Usage, Invoice Detail, Billing Period."""
    write_tables(selection=Selection(api.organization, month), kinds=["focus"], format="json", directory=directory)
    names = ("cost-and-usage", "invoice-detail", "billing-period")
    costs, details, periods = (
        json.loads((directory / f"focus-{name}-vendor-{month}.json").read_text(), parse_float=pytest.fail)
        for name in names
    )
    return costs, details, periods


def sums(rows: Rows, *keys: str) -> dict[tuple[Any, ...], Decimal]:
    found: dict[tuple[Any, ...], Decimal] = defaultdict(Decimal)
    for row in rows:
        found[tuple(row[key] for key in keys)] += Decimal(row["BilledCost"])
    return {key: amount for key, amount in found.items() if amount}


def test_the_files_join_and_tie_to_the_cent(vendor: Api, tmp_path: Path) -> None:
    costs, details, [period] = focus(vendor, tmp_path)
    of_line = ("InvoiceIssuerName", "InvoiceId", "InvoiceDetailId")
    assert sums(costs, *of_line) == sums(details, *of_line)
    assert {row["BillingPeriodStart"] for row in (*costs, *details)} == {period["BillingPeriodStart"]}
    assert {row["InvoiceIssuerName"] for row in (*costs, *details)} == {period["InvoiceIssuerName"]}
    invoices = {one.number: one.total - one.credits_applied for one in invoices_of(vendor.organization.pk)}
    gone = invoices_of(vendor.organization.pk).get(customer__key="gone").number
    assert sums(details, "InvoiceId") == {(number,): due for number, due in invoices.items() if number != gone}
    # acme: 49 + 3 x 12.50 + 8.83 + 0.50 + 5.91 = 101.74, 19 % of it (19.33), less 5 of credit.
    assert sums(costs, "BillingAccountId") == {
        ("acme",): Decimal("116.07"), ("lab",): Decimal(8250), ("back",): Decimal("49.00"),
    }  # fmt: skip


def test_tokens_are_a_sku_for_each_direction_with_agent_and_model(vendor: Api, tmp_path: Path) -> None:
    costs, _, _ = focus(vendor, tmp_path)
    tokens = [row for row in costs if row["x_TokenDirection"] and row["ChargeCategory"] == "Usage"]
    of_acme = [row for row in tokens if row["BillingAccountId"] == "acme"]
    found = {
        (row["SkuId"], row["x_Agent"], row["x_Model"]): (row["ConsumedQuantity"], row["ListCost"], row["BilledCost"])
        for row in of_acme
        if row["x_TokenDirection"] == "input"
    }
    assert found == {
        ("plan-acme/input_tokens", "support", "large"): ("1200001", "3.0000025", "3.00"),
        ("plan-acme/input_tokens", "support", "small"): ("333333", "0.8333325", "0.83"),
        ("plan-acme/input_tokens", "sales", "large"): ("2000000", "5.0000000", "5.00"),
    }
    assert {row["x_TokenDirection"]: row["SkuId"] for row in of_acme} == {
        "input": "plan-acme/input_tokens",
        "cached": "plan-acme/cached_input_tokens",
        "output": "plan-acme/output_tokens",
    }


def test_a_tier_is_a_price_of_its_own_and_a_minimum_an_adjustment(vendor: Api, tmp_path: Path) -> None:
    costs, _, _ = focus(vendor, tmp_path)
    of_lab = [row for row in costs if row["BillingAccountId"] == "lab"]
    names = ("ChargeCategory", "PricingQuantity", "ListUnitPrice", "BilledCost")
    # 4,100 less the 100 included: 1,000 at 0.5, 3,000 at 0.25; then 5,000 at 1, and 2,000 up to the minimum of 7,000.
    assert [tuple(row[name] for name in names) for row in of_lab] == [
        ("Usage", "1000", "0.5", "500"),
        ("Usage", "3000", "0.25", "750"),
        ("Usage", "5000", "1", "5000"),
        ("Adjustment", None, None, "2000"),
    ]
    assert of_lab[0]["SkuId"] == of_lab[1]["SkuId"]
    assert of_lab[0]["SkuPriceId"] != of_lab[1]["SkuPriceId"]


def test_a_void_invoice_is_listed_and_costs_nothing(vendor: Api, tmp_path: Path) -> None:
    costs, details, _ = focus(vendor, tmp_path)
    assert not [row for row in costs if row["BillingAccountId"] == "gone"]
    [row] = [row for row in details if row["BillingAccountId"] == "gone"]
    assert (row["InvoiceIssueStatus"], row["BilledCost"], row["x_VoidedCost"]) == ("Voided", "0.00", "49.00")


def test_a_credit_note_corrects_in_the_month_of_its_issue(vendor: Api, tmp_path: Path) -> None:
    costs, details, [period] = focus(vendor, tmp_path, Month(2026, 11))
    [cost], [detail] = costs, details
    names = ("BilledCost", "ChargeCategory", "ChargeClass", "InvoiceId", "x_InvoiceIssueStatus")
    assert tuple(cost[name] for name in names) == ("-10.00", "Purchase", "Correction", "CN-000001", "Issued")
    noted = invoices_of(vendor.organization.pk).get(customer__key="back")
    assert (detail["BilledCost"], detail["ReferenceInvoiceId"]) == ("-10.00", noted.number)
    assert period["BillingPeriodStatus"] == "Open"


def test_an_empty_month_has_its_billing_period_alone(api: Api, tmp_path: Path) -> None:
    costs, details, [period] = focus(api, tmp_path, Month(2025, 1))
    assert (costs, details) == ([], [])
    assert (period["BillingPeriodStart"], period["BillingPeriodStatus"]) == ("2025-01-01T00:00:00Z", "Open")
