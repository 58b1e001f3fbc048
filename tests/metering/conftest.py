from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest


@pytest.fixture
def event() -> Callable[..., dict[str, Any]]:
    def build(event_id: str = "e1", **changes: Any) -> dict[str, Any]:
        return {
            "specversion": "1.0",
            "id": event_id,
            "source": "edge/berlin-7",
            "type": "agent.turn",
            "subject": "acme",
            "time": "2026-10-03T09:12:44.120Z",
            "data": {"agent": "support", "turn_id": event_id},
        } | changes

    return build
