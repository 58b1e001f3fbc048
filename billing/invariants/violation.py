from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Violation:
    """One thing that breaks a law: `subject` is its id or number, `detail` says how."""

    subject: str
    detail: str
