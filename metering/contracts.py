"""The values that go in and out of metering."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from typing import Annotated, Any

import msgspec

from kernel.errors import ConflictError, InvalidError, NotFoundError, UnavailableError
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
    #: The extension attribute that names the customer's subscription (its id or key) that alone is to charge the event.
    subscription: ShortName | None = None
    data: msgspec.Raw = msgspec.Raw(b"{}")
    data_base64: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET


class Rejection(msgspec.Struct, frozen=True):
    """Why the event at `index` of a request was not taken."""

    index: int
    id: str | None
    code: str
    detail: str


class Notice(msgspec.Struct, frozen=True):
    """What a sender should know about an event that was taken."""

    index: int
    id: str
    code: str
    detail: str


class Quarantined(msgspec.Struct, frozen=True):
    """Why the event at `index` of a request is in quarantine: kept, and counted nowhere until it is released."""

    index: int
    id: str
    code: str
    detail: str


class IngestResult(msgspec.Struct):
    """What became of a request's events: every one is in exactly one of `accepted`, `duplicates`, `rejected` and
    `quarantined`. `quarantined` and `notices` are left out where there are none."""

    accepted: int = 0
    duplicates: int = 0
    rejected: list[Rejection] = msgspec.field(default_factory=list)
    quarantined: list[Quarantined] | msgspec.UnsetType = msgspec.UNSET
    notices: list[Notice] | msgspec.UnsetType = msgspec.UNSET


class BatchRejected(InvalidError):
    """Under `Prefer: handling=strict` one rejection rejects all, and nothing was stored."""

    code = "batch_rejected"

    def __init__(self, result: IngestResult) -> None:
        super().__init__(f"{len(result.rejected)} event(s) of this request cannot be taken, so none was")
        self.result = result


@dataclass(frozen=True, slots=True)
class Voided:
    """The record that an event was taken back: `id` is the correction's, or of one in quarantine the quarantine's."""

    id: str
    reason: str
    created_at: datetime
    subject: str | None


class QuarantineDecided(ConflictError):
    """The event has left quarantine the other way."""

    code = "quarantine_decided"


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

    `where` fixes dimensions to values. `by_customer` gives each customer's usage apart. With `names`, only events
    that name a subscription so count, and with `unnamed` those that name none: the log is read for that.
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
    names: tuple[str, ...] | None = None
    unnamed: bool = False


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
    sent_by: str | None = None
    subscription: str | None = None


@dataclass(frozen=True, slots=True, order=True)
class ChangedDay:
    """A day of UTC on which the usage of a customer, named by the key in its events, is not what it was."""

    subject: str
    day: date
