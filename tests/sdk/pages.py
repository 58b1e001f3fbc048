"""The examples of the documentation, to be run as they stand there."""

from __future__ import annotations

import re
from typing import Any

from launcher.paths import ROOT


def python_of(page: str) -> list[str]:
    """The Python blocks of a page, in order."""
    return re.findall(r"^```python\n(.*?)^```", (ROOT / page).read_text(), re.MULTILINE | re.DOTALL)


def run(code: str) -> dict[str, Any]:
    """Runs an example as a program of its own would, and returns its names."""
    names: dict[str, Any] = {"__name__": "example"}
    exec(compile(code, "example", "exec"), names)
    return names
