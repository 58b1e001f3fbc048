"""What other rooms may use of metering."""

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
from metering.directory import register_customer_directory
from metering.models import Meter, MeterVersion, UsageEvent
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
from metering.queries.positions import known_events, log_positions, log_snapshot
from metering.queries.task_usage import TaskMeter, usage_of_tasks
from metering.queries.usage import usage, usage_of_version
from metering.services.corrections import amend_event, void_event
from metering.services.ingest import ingest, ingest_body
from metering.services.meters import MeterExists, create_meter, create_meter_version
from metering.services.projections import advance_projections
from metering.services.retention import attach_month, detach_month
from metering.services.statistics import refresh_statistics
from metering.stream.answers import live_answer
from metering.stream.events import event_stream
from metering.stream.kept import Kept

__all__ = [
    "ArchiveUnavailable",
    "BatchRejected",
    "ChangedDay",
    "CloudEvent",
    "EventAnswer",
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
    "MeterVersion",
    "Rejection",
    "TaskMeter",
    "UsageEvent",
    "UsageQuestion",
    "UsageRow",
    "advance_projections",
    "amend_event",
    "attach_month",
    "changed_periods",
    "changes_in_log",
    "create_meter",
    "create_meter_version",
    "current_versions",
    "definition_of",
    "detach_month",
    "event_identity",
    "event_stream",
    "events_of_task",
    "find_event",
    "first_event_time",
    "get_meter_version",
    "ingest",
    "ingest_body",
    "known_events",
    "line_events",
    "line_quantity",
    "list_events",
    "live_answer",
    "log_positions",
    "log_snapshot",
    "meters_of",
    "organizations_behind",
    "otlp_json_events",
    "otlp_refusal",
    "present_event",
    "projections_wait_since",
    "refresh_statistics",
    "register_customer_directory",
    "usage",
    "usage_of_tasks",
    "usage_of_version",
    "void_event",
    "waiting_since",
]
