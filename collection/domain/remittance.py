"""Reading which invoice a bank transfer is for."""

from __future__ import annotations

import re

_SPACES = re.compile(r"[\s\-_./]+")


def numbers_in(text: str, numbers: list[str]) -> list[str]:
    """Which of `numbers` stand in a transfer's text, however they were spaced; none stands within a longer one."""
    found = []
    for number in numbers:
        parts = [re.escape(part) for part in _SPACES.split(number) if part]
        pattern = r"[\s\-_./]*".join(parts)
        if parts and re.search(rf"(?<![0-9A-Za-z]){pattern}(?![0-9])", text, re.IGNORECASE):
            found.append(number)
    return found
