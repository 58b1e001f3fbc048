"""The FinOps Foundation's own validator, run on a file of Cost and Usage.

focus-validator 2.2.1 carries the rules of FOCUS 1.2 and fetches later ones from GitHub, where those of 1.4 were not
when this was written; tests fetch nothing. So a file of 1.4 is shown to it as 1.2 names its columns (`as_of_1_2`), and
what is new in 1.4 is checked by our own tests.
"""

from __future__ import annotations

import importlib.util
import os
import sys
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

#: What applies to a vendor of agents; the rest is about zones, regions, reservations and the like.
APPLICABLE = (
    "ACCOUNT_NAMING_SUPPORTED",
    "PUBLIC_PRICE_LIST_SUPPORTED",
    "SUB_ACCOUNT_SUPPORTED",
    "UNIT_PRICING_SUPPORTED",
    "USAGE_MEASUREMENT_SUPPORTED",
)

#: Columns of 1.2 that 1.4 has under another name, or leaves out where pricing is in the currency of billing.
_FORMERLY = {
    "ProviderName": "ServiceProviderName",
    "PublisherName": "HostProviderName",
    "PricingCurrency": "BillingCurrency",
    "PricingCurrencyContractedUnitPrice": "ContractedUnitPrice",
    "PricingCurrencyListUnitPrice": "ListUnitPrice",
    "PricingCurrencyEffectiveCost": "EffectiveCost",
}

_CONVERTER = "focus_validator.config_objects.focus_to_duckdb_converter"

#: The one line of it that Python 3.11 cannot read, and the same for 3.11.
_NEW_SYNTAX = """f"'{k.replace('\\"', '\\"\\"')}'" for k"""
_OLD_SYNTAX = """"'" + k.replace('"', '""') + "'" for k"""


def as_of_1_2(path: Path) -> Path:
    """A copy of Cost and Usage, in Parquet, with the columns that 1.2 asks for besides."""
    table = pq.read_table(path)
    for name, now in _FORMERLY.items():
        table = table.append_column(name, table[now])
    table = table.append_column("CommitmentDiscountStatus", pa.nulls(len(table), pa.string()))
    copy = path.with_name("as-of-1-2.parquet")
    pq.write_table(table, copy)
    return copy


def broken_rules(path: Path) -> tuple[dict[str, str], int]:
    """The rules of FOCUS 1.2 that `path` breaks, each with what the specification says; and how many were kept."""
    validator = _validator(path)
    here = Path.cwd()
    os.chdir(_place().parent)  # it looks for its list of currencies from there
    try:
        results = validator.validate()
    finally:
        os.chdir(here)
    broken = {
        name: results.rules[name].validation_criteria.must_satisfy
        for name, result in results.by_rule_id.items()
        if not result["ok"]
    }
    kept = [result for result in results.by_rule_id.values() if result["ok"] and not result["details"].get("skipped")]
    return broken, len(kept)


def _validator(path: Path) -> Any:
    _load_converter()
    from focus_validator.validator import Validator

    return Validator(
        data_filename=str(path),
        output_type="unittest",
        output_destination=str(path.with_suffix(".xml")),
        rules_version="1.2",
        focus_dataset="CostAndUsage",
        rules_block_remote_download=True,
        applicability_criteria=",".join(APPLICABLE),
    )


def _place() -> Path:
    found = importlib.util.find_spec("focus_validator")
    assert found is not None
    assert found.submodule_search_locations, "focus-validator is not installed"
    return Path(found.submodule_search_locations[0])


def _load_converter() -> None:
    """Load its converter with the one line written so that Python 3.11 reads it too."""
    if _CONVERTER in sys.modules:
        return
    path = _place() / "config_objects" / "focus_to_duckdb_converter.py"
    spec = importlib.util.spec_from_file_location(_CONVERTER, path)
    assert spec is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[_CONVERTER] = module
    source = path.read_text().replace(_NEW_SYNTAX, _OLD_SYNTAX)
    exec(compile(source, str(path), "exec"), module.__dict__)
