"""Two sides that should say the same: what differs between them. Pure functions of what both say."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Fact:
    """What one side says of a thing, written so that equal words mean equal facts, such as "100.00 USD succeeded"."""

    says: str
    at: datetime
    invoice: str | None = None
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Difference:
    kind: str
    subject: str
    here: str
    there: str
    at: datetime
    invoice: str | None = None
    detail: str = ""

    @property
    def key(self) -> tuple[str, str]:
        return self.kind, self.subject


def differences(what: str, here: Mapping[str, Fact], there: Mapping[str, Fact]) -> list[Difference]:
    """The differences of things called `what`, by their ids: `<what>_missing_here`, `_missing_there` and `_differs`."""
    found = []
    for subject in sorted(here.keys() | there.keys()):
        ours, theirs = here.get(subject), there.get(subject)
        if ours is not None and theirs is not None:
            if ours.says != theirs.says:
                found.append(_difference(f"{what}_differs", subject, ours, theirs, ours))
        elif theirs is not None:
            found.append(_difference(f"{what}_missing_here", subject, None, theirs, theirs))
        elif ours is not None:
            found.append(_difference(f"{what}_missing_there", subject, ours, None, ours))
    return found


def _difference(kind: str, subject: str, here: Fact | None, there: Fact | None, named: Fact) -> Difference:
    return Difference(
        kind,
        subject,
        here.says if here else "",
        there.says if there else "",
        min(one.at for one in (here, there) if one),
        named.invoice,
        named.detail,
    )
