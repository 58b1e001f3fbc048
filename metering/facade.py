"""What other rooms may use of metering."""

from metering.api.quarantine import present_quarantined
from metering.api.serializers import EventAnswer, present_event
from metering.contracts import (
    ArchiveUnavailable,
    BatchRejected,
    ChangedDay,
    CloudEvent,
    EventView,
    IngestResult,
    MeterNotFound,
    Rejection,
    UsageQuestion,
    UsageRow,
)
from metering.decoding import event_identity
from metering.directory import (
    register_clock_directory,
    register_customer_directory,
    register_subscription_directory,
)
from metering.domain.faults import OUTCOMES
from metering.models import Meter, MeterVersion, UsageEvent, VoidRun
from metering.otlp.files import otlp_json_events
from metering.otlp.views import otlp_refusal
from metering.queries.changes import changed_periods
from metering.queries.events import (
    EventQuestion,
    LineQuestion,
    find_event,
    first_event_time,
    line_events,
    line_quantity,
    list_events,
)
from metering.queries.lag import projections_wait_since, waiting_since
from metering.queries.log_changes import LogChange, LogPosition, changes_in_log, events_of_task, organizations_behind
from metering.queries.meters import current_versions, definition_of, get_meter_version, meters_of
from metering.queries.named_usage import EventCount, count_events, named_days, subjects_after
from metering.queries.positions import known_events, log_positions, log_snapshot
from metering.queries.quarantine import quarantined_events, waiting_in_quarantine
from metering.queries.sent_events import MeterShare, SentEvents, SentQuestion, count_billed, sent_events
from metering.queries.task_usage import TaskMeter, usage_of_tasks
from metering.queries.usage import usage, usage_of_version
from metering.services.corrections import amend_event, void_event
from metering.services.ingest import ingest, ingest_body
from metering.services.merging import all_know, merge_subject, move_events, uncovered_events, unsettled_aliases
from metering.services.meters import MeterExists, create_meter, create_meter_version
from metering.services.projections import advance_projections
from metering.services.protection import forget_protection, numeric_or_filtered_paths
from metering.services.quarantine_decisions import discard_event, release_event
from metering.services.redaction import (
    STANDARD_PATHS,
    begin_redaction,
    has_archives,
    needed_paths,
    redact,
    unfinished_redactions,
)
from metering.services.retention import attach_month, detach_month
from metering.services.statistics import refresh_statistics
from metering.services.void_runs import VoidRunActive, start_void_run, void_runs_of, work_void_run
from metering.stream.answers import live_answer
from metering.stream.events import event_stream
from metering.stream.kept import Kept


def work_void_run_later(run_id: str) -> None:
    """Hand a run to a worker."""
    from metering.tasks import work_void_run as task  # noqa: PLC0415 - tasks need Celery, which few processes do

    task.delay(run_id=run_id)


__all__ = [
    "OUTCOMES",
    "STANDARD_PATHS",
    "ArchiveUnavailable",
    "BatchRejected",
    "ChangedDay",
    "CloudEvent",
    "EventAnswer",
    "EventCount",
    "EventQuestion",
    "EventView",
    "IngestResult",
    "Kept",
    "LineQuestion",
    "LogChange",
    "LogPosition",
    "Meter",
    "MeterExists",
    "MeterNotFound",
    "MeterShare",
    "MeterVersion",
    "Rejection",
    "SentEvents",
    "SentQuestion",
    "TaskMeter",
    "UsageEvent",
    "UsageQuestion",
    "UsageRow",
    "VoidRun",
    "VoidRunActive",
    "advance_projections",
    "all_know",
    "amend_event",
    "attach_month",
    "begin_redaction",
    "changed_periods",
    "changes_in_log",
    "count_billed",
    "count_events",
    "create_meter",
    "create_meter_version",
    "current_versions",
    "definition_of",
    "detach_month",
    "discard_event",
    "event_identity",
    "event_stream",
    "events_of_task",
    "find_event",
    "first_event_time",
    "forget_protection",
    "get_meter_version",
    "has_archives",
    "ingest",
    "ingest_body",
    "known_events",
    "line_events",
    "line_quantity",
    "list_events",
    "live_answer",
    "log_positions",
    "log_snapshot",
    "merge_subject",
    "meters_of",
    "move_events",
    "named_days",
    "needed_paths",
    "numeric_or_filtered_paths",
    "organizations_behind",
    "otlp_json_events",
    "otlp_refusal",
    "present_event",
    "present_quarantined",
    "projections_wait_since",
    "quarantined_events",
    "redact",
    "refresh_statistics",
    "register_clock_directory",
    "register_customer_directory",
    "register_subscription_directory",
    "release_event",
    "sent_events",
    "start_void_run",
    "subjects_after",
    "uncovered_events",
    "unfinished_redactions",
    "unsettled_aliases",
    "usage",
    "usage_of_tasks",
    "usage_of_version",
    "void_event",
    "void_runs_of",
    "waiting_in_quarantine",
    "waiting_since",
    "work_void_run",
    "work_void_run_later",
]
