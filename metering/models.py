"""The usage event log, its corrections, the meters and their projection."""

from __future__ import annotations

from typing import Any

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models.expressions import Func

from kernel.ids import new_id
from rest.columns import ExactDecimalField


def _meter_id() -> str:
    return new_id("mtr")


def _correction_id() -> str:
    return new_id("cor")


def _void_run_id() -> str:
    return new_id("vdr")


def _quarantined_event_id() -> str:
    return new_id("qev")


class Xid8Field(models.Field):  # type: ignore[type-arg]
    """A PostgreSQL transaction id with its epoch: it never wraps round."""

    def db_type(self, connection: Any) -> str:
        return "xid8"

    def from_db_value(self, value: Any, expression: Any, connection: Any) -> int | None:
        return None if value is None else int(value)

    def get_prep_value(self, value: Any) -> str | None:
        return None if value is None else str(value)


class CurrentTransaction(Func):
    """The id of the transaction that writes the row."""

    function = "pg_current_xact_id"
    template = "%(function)s()"
    output_field = Xid8Field()


class EventIdentity(models.Model):
    """What has been taken in, for ever: also when the event itself has moved to an archive.

    `identity` is a 128-bit hash of (organization, source, id), so one narrow index keeps events unique whatever
    their time. `content_hash` tells a duplicate from a conflict. `time` says where in the log the event lies.
    """

    identity = models.UUIDField(primary_key=True)
    content_hash = models.UUIDField()
    time = models.DateTimeField()

    class Meta:
        verbose_name_plural = "event identities"

    def __str__(self) -> str:
        return str(self.identity)


class UsageEvent(models.Model):
    """The append-only log, the single source of truth about usage. Partitioned by month of `time`.

    `identity` is unique by `EventIdentity`, which is written first in the same transaction. No index has it here:
    look an event up together with its organization and time. `xid` orders rows by transaction, which is what lets
    a projection know what it has seen. `sent_by` is the id of the API key that sent the event, `user:` and a member's
    number, or `system`; None for events from before senders were kept. It is no part of what makes a duplicate.
    No foreign key: a trigger per row costs more than it protects.
    """

    identity = models.UUIDField(primary_key=True)
    organization = models.ForeignKey(
        "accounts.Organization", on_delete=models.DO_NOTHING, db_constraint=False, db_index=False
    )
    source = models.TextField()
    event_id = models.TextField()
    type = models.TextField()
    subject = models.TextField(null=True)
    time = models.DateTimeField()
    received_at = models.DateTimeField()
    data = models.JSONField()
    xid = Xid8Field(db_default=CurrentTransaction())
    sent_by = models.TextField(null=True)
    #: The subscription that the event names, by its id or key.
    subscription = models.TextField(null=True)

    class Meta:
        indexes = [
            models.Index(fields=["organization", "xid"], name="event_by_transaction"),
            models.Index(fields=["organization", "subject", "time"], name="event_by_customer_and_time"),
            models.Index(fields=["organization", "time", "identity"], name="event_by_time"),
            models.Index(
                fields=["organization", "sent_by", "received_at"],
                condition=models.Q(sent_by__isnull=False),
                name="event_by_sender",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.type} {self.event_id}"


class NamedUsage(models.Model):
    """A day (of UTC) on which events of a customer name a subscription: usage by subscription reads the log there, and
    the buckets elsewhere. `subject` is empty for events without a customer."""

    organization = models.ForeignKey(
        "accounts.Organization", on_delete=models.DO_NOTHING, db_constraint=False, db_index=False
    )
    subject = models.TextField()
    subscription = models.TextField()
    day = models.DateField()

    class Meta:
        verbose_name_plural = "named usage"
        constraints = [
            models.UniqueConstraint(
                fields=["organization", "subject", "subscription", "day"], name="named_usage_once_a_day"
            )
        ]

    def __str__(self) -> str:
        return f"{self.subject} names {self.subscription} on {self.day}"


class EventCorrection(models.Model):
    """Takes an event back. The event stays; the pair counts as nothing.

    It keeps what the event said, so that minus one of it can be counted wherever the event is by then.
    """

    id = models.CharField(max_length=30, primary_key=True, default=_correction_id, editable=False)
    organization = models.ForeignKey(
        "accounts.Organization", on_delete=models.DO_NOTHING, db_constraint=False, db_index=False
    )
    event = models.OneToOneField(
        UsageEvent, on_delete=models.DO_NOTHING, related_name="correction", db_constraint=False
    )
    reason = models.TextField()
    created_at = models.DateTimeField()
    source = models.TextField()
    sent_id = models.TextField()
    type = models.TextField()
    subject = models.TextField(null=True)
    time = models.DateTimeField()
    data = models.JSONField()
    xid = Xid8Field(db_default=CurrentTransaction())

    class Meta:
        indexes = [models.Index(fields=["organization", "xid"], name="correction_by_transaction")]

    def __str__(self) -> str:
        return f"void: {self.reason}"


class VoidRun(models.Model):
    """A background run that takes back all events which one sender sent and the server received in [start, end).

    `events` is how many were to be taken back when it began, `voided` how many it has taken back so far. It goes
    through the log by time of receipt (`position`), and through archives by row groups (`archives`: how many of each
    are done), in small transactions: killed at any point, the next worker goes on from there.
    """

    id = models.CharField(max_length=30, primary_key=True, default=_void_run_id, editable=False)
    organization = models.ForeignKey("accounts.Organization", on_delete=models.CASCADE)
    sent_by = models.TextField()
    start = models.DateTimeField()
    end = models.DateTimeField()
    reason = models.TextField()
    created_by = models.CharField(max_length=254)
    created_at = models.DateTimeField()
    finished_at = models.DateTimeField(null=True)
    events = models.BigIntegerField()
    voided = models.BigIntegerField(default=0)
    position = models.DateTimeField(null=True)
    archives = models.JSONField(default=dict)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["organization", "sent_by"], condition=models.Q(finished_at=None), name="one_void_run_per_sender"
            )
        ]
        indexes = [models.Index(fields=["organization", "id"], name="void_runs_of_organization")]

    def __str__(self) -> str:
        return f"{self.sent_by} from {self.start} to {self.end}"


class QuarantineState(models.TextChoices):
    QUARANTINED = "quarantined"
    RELEASED = "released"
    DISCARDED = "discarded"


class QuarantinedEvent(models.Model):
    """An event that cannot be right, kept as it was sent and counted nowhere until it is released.

    Its identity is in `EventIdentity`, so that it is a duplicate when it is sent again. `reason` is the fault's code
    and `detail` its sentence. Released, it is in the log too, for the customer that it was released to. Where it was
    discarded by a void, `decision_reason` is the reason that was given.
    """

    id = models.CharField(max_length=30, primary_key=True, default=_quarantined_event_id, editable=False)
    organization = models.ForeignKey("accounts.Organization", on_delete=models.DO_NOTHING, db_constraint=False)
    identity = models.UUIDField(unique=True)
    source = models.TextField()
    event_id = models.TextField()
    type = models.TextField()
    subject = models.TextField(null=True)
    subscription = models.TextField(null=True)
    time = models.DateTimeField()
    received_at = models.DateTimeField()
    data = models.JSONField()
    sent_by = models.TextField(null=True)
    reason = models.TextField()
    detail = models.TextField()
    state = models.TextField(choices=QuarantineState.choices, default=QuarantineState.QUARANTINED)
    decided_at = models.DateTimeField(null=True)
    decided_by = models.TextField(blank=True, default="")
    decision_reason = models.TextField(blank=True, default="", db_default="")

    class Meta:
        ordering = ["id"]
        indexes = [models.Index(fields=["organization", "state", "id"], name="quarantine_by_state")]

    def __str__(self) -> str:
        return f"{self.type} {self.event_id}: {self.reason}"


class SubjectAlias(models.Model):
    """Events with the subject `subject` count for the customer with the key `target` since they were merged.

    `settled_at` is None until no request is left that read the aliases before this one was there.
    """

    organization = models.ForeignKey("accounts.Organization", on_delete=models.CASCADE)
    subject = models.TextField()
    target = models.TextField()
    xid = Xid8Field(db_default=CurrentTransaction())
    created_at = models.DateTimeField()
    settled_at = models.DateTimeField(null=True)

    class Meta:
        verbose_name_plural = "subject aliases"
        constraints = [models.UniqueConstraint(fields=["organization", "subject"], name="subject_alias_unique")]

    def __str__(self) -> str:
        return f"{self.subject} is {self.target}"


class Redaction(models.Model):
    """Free text in the events of an erased customer that is still being made unreadable.

    `salt` keeps equal texts equal while it lasts, and is forgotten when all is done: `time` and `identity` say up to
    where it is.
    """

    organization = models.ForeignKey("accounts.Organization", on_delete=models.CASCADE)
    subject = models.TextField()
    salt = models.BinaryField()
    #: Places in `data` whose text stays, since usage is priced by it.
    kept = models.JSONField(default=list)
    time = models.DateTimeField(null=True)
    identity = models.UUIDField(null=True)
    events = models.BigIntegerField(default=0)
    created_at = models.DateTimeField()
    finished_at = models.DateTimeField(null=True)

    def __str__(self) -> str:
        return f"redaction of {self.subject}"


class Meter(models.Model):
    """Turns usage events into a quantity. What it computes stands in its versions."""

    id = models.CharField(max_length=30, primary_key=True, default=_meter_id, editable=False)
    organization = models.ForeignKey("accounts.Organization", on_delete=models.CASCADE)
    key = models.CharField(max_length=128)
    name = models.CharField(max_length=200)
    unit = models.CharField(max_length=50, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["id"]
        constraints = [models.UniqueConstraint(fields=["organization", "key"], name="meter_key_unique")]

    def __str__(self) -> str:
        return self.name


class MeterVersion(models.Model):
    """One immutable definition of a meter, and how far its projection has come.

    All transactions below `projected_to` are in the buckets; everything from it on is the tail. It only ever
    grows. `unbounded` says that there are too many groups for buckets to be of use, so the log answers.
    `archived` says of archives that a version made later takes in from the file how many row groups it has:
    those are in the buckets too, whatever their transactions.
    """

    meter = models.ForeignKey(Meter, on_delete=models.CASCADE, related_name="versions")
    number = models.IntegerField(default=1)
    definition = models.JSONField()
    projected_to = Xid8Field(default=0)
    unbounded = models.BooleanField(default=False, db_default=False)
    archived = models.JSONField(default=dict, db_default={})
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["meter", "number"], name="meter_version_number_unique")]

    def __str__(self) -> str:
        return f"{self.meter_id} v{self.number}"


class Scope(models.IntegerChoices):
    """Whose usage a bucket holds. An organization's is kept beside its customers': it has far fewer buckets."""

    CUSTOMER = 0
    ORGANIZATION = 1


class UsageBucket(models.Model):
    """The projection: what a meter version counted on one day (of UTC) under one set of dimensions.

    Every event is in one bucket of each scope. `subject` is the customer, None for events without one and for an
    organization. `dimensions` holds values in the order of the definition's names. `value` is set for
    unique_count only: one row per distinct value, whose `events` say how often it was seen and not taken back.
    `group_hash` is of dimensions and value, which can be too long for an index.

    The day's hours (a customer's) or quarters of an hour (an organization's) in which anything came stand in
    three lists beside each other: when they begin, and the events and quantity of each.
    """

    meter_version = models.ForeignKey(MeterVersion, on_delete=models.CASCADE, db_constraint=False, db_index=False)
    scope = models.SmallIntegerField(choices=Scope.choices)
    subject = models.TextField(null=True)
    day = models.DateTimeField()
    group_hash = models.BinaryField()
    dimensions = ArrayField(models.TextField(null=True))
    value = models.TextField(null=True)
    events = models.BigIntegerField()
    quantity = ExactDecimalField()
    part_starts = ArrayField(models.DateTimeField())
    part_events = ArrayField(models.BigIntegerField())
    part_quantities = ArrayField(ExactDecimalField())

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["meter_version", "scope", "subject", "day", "group_hash"],
                nulls_distinct=False,
                name="one_bucket_per_day_and_group",
            )
        ]

    def __str__(self) -> str:
        return f"{self.day:%Y-%m-%d} {self.subject}"


class LogArchive(models.Model):
    """A file with events of one month that have left the log. Later events of that month make another part."""

    month = models.DateField()
    part = models.IntegerField()
    file = models.CharField(max_length=200)
    sha256 = models.CharField(max_length=64)
    size = models.BigIntegerField()
    events = models.BigIntegerField()
    row_groups = models.IntegerField()
    created_at = models.DateTimeField()

    class Meta:
        ordering = ["month", "part"]
        constraints = [models.UniqueConstraint(fields=["month", "part"], name="archive_part_unique")]

    def __str__(self) -> str:
        return self.file


class ArchivedOrganization(models.Model):
    """What an archive has of one organization: how many events, between which times and transactions."""

    archive = models.ForeignKey(LogArchive, on_delete=models.CASCADE, related_name="organizations")
    organization = models.ForeignKey("accounts.Organization", on_delete=models.DO_NOTHING, db_constraint=False)
    events = models.BigIntegerField()
    first_time = models.DateTimeField()
    last_time = models.DateTimeField()
    first_xid = Xid8Field()
    last_xid = Xid8Field()

    def __str__(self) -> str:
        return f"{self.archive} of {self.organization_id}"
