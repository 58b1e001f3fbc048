"""What a sender should know about events that were taken: that no customer or subscription is there to be charged."""

from __future__ import annotations

from collections.abc import Sequence

from metering.contracts import IngestResult, Notice
from metering.decoding import LogRow
from metering.directory import known_customers, unknown_subscriptions

_NO_CUSTOMER = (
    "No customer has the key {!r} yet: its events are kept, and count for it once there is one "
    "(GET /api/v1/unassigned_usage)"
)
_NO_SUBSCRIPTION = (
    "The customer has no subscription {!r}: the event is kept, and no subscription charges it "
    "(GET /api/v1/unassigned_usage)"
)

#: Customers that are there, of organizations that this process took events for. They never go.
_known: dict[int, set[str]] = {}
_MOST_KNOWN = 200_000


def with_notices(organization_id: int, rows: Sequence[LogRow], result: IngestResult) -> IngestResult:
    """The result with a notice for each subject that is no customer's key (at its first event), and for each event that
    names a subscription which its customer has not. Of events that were taken alone."""
    refused = {rejection.index for rejection in result.rejected}
    taken = [row for row in rows if row.fault is None and row.index not in refused]
    notices = [*_of_customers(organization_id, taken), *_of_subscriptions(organization_id, taken)]
    if notices:
        result.notices = sorted(notices, key=_index)
    return result


def _of_customers(organization_id: int, taken: Sequence[LogRow]) -> list[Notice]:
    known = _known.get(organization_id, set())
    first = {
        row.event.subject: row
        for row in reversed(taken)
        if row.event.subject is not None and row.event.subject not in known
    }
    if not first:
        return []
    found = known_customers(organization_id, set(first))
    if sum(map(len, _known.values())) > _MOST_KNOWN:
        _known.clear()
    _known.setdefault(organization_id, set()).update(found)
    return [
        Notice(row.index, row.event.id, "customer_unknown", _NO_CUSTOMER.format(subject))
        for subject, row in first.items()
        if subject not in found
    ]


def _of_subscriptions(organization_id: int, taken: Sequence[LogRow]) -> list[Notice]:
    named = [row for row in taken if row.event.subscription is not None]
    if not named:
        return []
    unknown = unknown_subscriptions(
        organization_id, {(row.event.subject, row.event.subscription or "") for row in named}
    )
    return [
        Notice(row.index, row.event.id, "subscription_unknown", _NO_SUBSCRIPTION.format(row.event.subscription))
        for row in named
        if (row.event.subject, row.event.subscription) in unknown
    ]


def _index(notice: Notice) -> int:
    return notice.index
