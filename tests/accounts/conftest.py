from __future__ import annotations

import pytest

from accounts.facade import act_as


@pytest.fixture(autouse=True)
def nobody_acts() -> None:
    """Requests begin so; here, the test before may have been a command or a person."""
    act_as("system")
