"""Forms as Stripe's clients write them: `a[b][0]=c`."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import parse_qsl


def decode(text: str) -> dict[str, Any]:
    """Nested dicts; lists are dicts by place, or what was given with empty brackets."""
    found: dict[str, Any] = {}
    for name, value in parse_qsl(text, keep_blank_values=True):
        first, *rest = re.findall(r"[^\[\]]+|\[\]", name)
        at, path = found, [first, *rest]
        if path[-1] == "[]":
            for part in path[:-2]:
                at = at.setdefault(part, {})
            at.setdefault(path[-2], []).append(value)
            continue
        for part in path[:-1]:
            at = at.setdefault(part, {})
        at[path[-1]] = value
    return found
