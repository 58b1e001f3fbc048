"""Filling the API answers of test clocks."""

from __future__ import annotations

from typing import Any

from billing.models import (
    TestClock,
)


def test_clock(one: TestClock) -> dict[str, Any]:
    return {"id": one.id, "now": one.now, "problems": one.problems, "created_at": one.created_at}
