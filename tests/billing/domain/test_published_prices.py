"""Worked examples that vendors publish come out to the cent. Sources: tests/data/published_prices.json."""

from __future__ import annotations

import json
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest

from billing.rating.calculator import calculate_price

PUBLISHED = json.loads((Path(__file__).parents[2] / "data" / "published_prices.json").read_text(encoding="utf-8"))


def cases() -> Iterator[object]:
    for case in PUBLISHED["cases"]:
        for quantity, answer in case.get("answers", {}).items():
            body = {"currency": "USD", "model": case["model"], "quantity": quantity}
            yield pytest.param(body, answer, id=f"{case['source']}: {quantity}")
        if "groups" in case:
            body = {"currency": "USD", "model": case["model"], "groups": case["groups"]}
            yield pytest.param(body, case["answer"], id=case["source"])


@pytest.mark.parametrize(("body", "answer"), list(cases()))
def test_a_published_example_comes_out_as_published(body: dict[str, object], answer: str) -> None:
    assert Decimal(str(calculate_price(body)["amount"])) == Decimal(answer)


def test_no_published_example_is_left_out() -> None:
    assert len(list(cases())) == 12
