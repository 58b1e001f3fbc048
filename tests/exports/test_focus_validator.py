"""Cost and Usage against the rules of the FinOps Foundation."""

from __future__ import annotations

from pathlib import Path

import pytest

from exports.services.writing import write_tables
from exports.tables import Selection
from kernel.period import Month
from tests.api import Api
from tests.exports.agents_vendor import busy_october
from tests.exports.focus_rules import as_of_1_2, broken_rules
from tests.exports.vendor import OCTOBER

pytestmark = pytest.mark.django_db

#: Rules whose machine form says more than their words, which hold.
NOT_AS_SAID = {
    # One of two alternatives, of which the other holds ("null when the charge is not associated with an invoice").
    "InvoiceId-C-004-C",
    # "… and the purchase is intended to cover future eligible charges": fees and seats are of the month itself.
    "EffectiveCost-C-005-C",
    "EffectiveCost-C-000-M",
}


def cost_and_usage(api: Api, directory: Path, month: Month) -> Path:
    write_tables(selection=Selection(api.organization, month), kinds=["focus"], format="parquet", directory=directory)
    return as_of_1_2(directory / f"focus-cost-and-usage-vendor-{month}.parquet")


def test_a_month_and_a_month_of_credit_notes_keep_the_rules(api: Api, tmp_path: Path) -> None:
    busy_october(api)
    for month in (OCTOBER, OCTOBER.next()):
        directory = tmp_path / str(month)
        directory.mkdir()
        broken, kept = broken_rules(cost_and_usage(api, directory, month))
        assert {name: said for name, said in broken.items() if name not in NOT_AS_SAID} == {}
        assert kept > 200


def test_the_validator_finds_what_is_wrong(api: Api, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("exports.kinds.focus.rows.SERVICE_CATEGORY", "Agents")
    busy_october(api)
    broken, _ = broken_rules(cost_and_usage(api, tmp_path, OCTOBER))
    assert any(name.startswith("ServiceCategory-") for name in broken)
