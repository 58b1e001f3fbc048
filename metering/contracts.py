"""The values that go in and out of metering."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from typing import Annotated, Any

import msgspec

from kernel.errors import InvalidError, NotFoundError, UnavailableError
from kernel.period import Period

Name = Annotated[str, msgspec.Meta(min_length=1, max_length=1024)]
ShortName = Annotated[str, msgspec.Meta(min_length=1, max_length=255)]


class CloudEvent(msgspec.Struct, frozen=True, gc=False):
    """A CloudEvents 1.0 event as it comes in. `data` stays the very JSON that was sent."""

    specversion: str
    id: Name
    source: Name
    type: ShortName
    subject: ShortName | None = None
    time: Annotated[datetime, msgspec.Meta(tz=True)] | None = None
    data: msgspec.Raw = msgspec.Raw(b"{}")
    data_base64: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET


class Rejection(msgspec.Struct, frozen=True):
    """Why the event at `index` of a request was not taken."""

    index: int
    id: str | None
    code: str
    detail: str


class IngestResult(msgspec.Struct):
    """What became of a request's events: every one is counted in exactly one of the three."""

    accepted: int = 0
    duplicates: int = 0
    rejected: list[Rejection] = msgspec.field(default_factory=list)


class BatchRejected(InvalidError):
    """Under `Prefer: handling=strict` one rejection rejects all, and nothing was stored."""

    code = "batch_rejected"

    def __init__(self, result: IngestResult) -> None:
        super().__init__(f"{len(result.rejected)} event(s) of this request cannot be taken, so none was")
        self.result = result


class MeterNotFound(NotFoundError):
    code = "meter_not_found"


class EventNotFound(NotFoundError):
    code = "event_not_found"


class ArchiveUnavailable(UnavailableError):
    """A file with archived events is missing or not what was written. Without it, nothing true can be said."""

    code = "archive_unavailable"


@dataclass(frozen=True, slots=True)
class UsageQuestion:
    """What to count: a meter over a period, cut into windows, for all customers or some, by dimensions.

    `where` fixes dimensions to values. `by_customer` gives each customer's usage apart.
    """

    organization_id: int
    meter: str
    period: Period
    window: str = "total"
    timezone: str = "UTC"
    customers: tuple[str, ...] | None = None
    by_customer: bool = False
    group_by: tuple[str, ...] = ()
    where: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class UsageRow:
    """A quantity in `start` <= t < `end`. `group` has a value, or None where the event had none, per dimension.

    `events` is how many usage events make it up.
    """

    start: datetime
    end: datetime
    customer: str | None
    group: dict[str, str | None]
    quantity: Decimal
    events: int


@dataclass(frozen=True, slots=True)
class EventView:
    """A stored usage event, as the API and the console show it."""

    identity: str
    id: str
    source: str
    type: str
    customer: str | None
    time: datetime
    received_at: datetime
    data: dict[str, Any]
    voided: bool


@dataclass(frozen=True, slots=True, order=True)
class ChangedDay:
    """A day of UTC on which the usage of a customer, named by the key in its events, is not what it was."""

    subject: str
    day: date
