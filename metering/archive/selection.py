"""Which archived events a question needs. Says nothing of files: most processes never read one."""

from __future__ import annotations

import re
from dataclasses import dataclass

from kernel.period import Period

#: The log's columns, and an archive's.
COLUMNS = (
    "identity, organization_id, source, event_id, type, subject, time, received_at, data, xid, sent_by, subscription"
)

#: Above every transaction.
NO_XID = 2**63 - 1


@dataclass(frozen=True, slots=True)
class Selection:
    """Which events of a file to read: those of an organization that meet all the conditions given.

    Their transaction is from `first_xid` to `last_xid`, or one of `transactions`; their data's text has all `texts`;
    `sent_by` is their sender, and they were received within `received`.
    """

    organization_id: int
    periods: tuple[Period, ...] | None = None
    types: tuple[str, ...] | None = None
    customers: tuple[str, ...] | None = None
    first_xid: int = 0
    last_xid: int = NO_XID
    transactions: tuple[int, ...] = ()
    texts: tuple[str, ...] = ()
    sent_by: str | None = None
    received: Period | None = None


# Text that JSON writes as it is.
_PLAIN = re.compile(r"[A-Za-z0-9 ._:/-]+")


def plain_texts(*values: str) -> tuple[str, ...]:
    """Those of the values of an event's data that its JSON text must have, letter by letter."""
    return tuple(value for value in values if _PLAIN.fullmatch(value))
