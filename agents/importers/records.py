"""Files of recorded calls and runs in the formats of others, brought into the log as the same events."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from taximeter import Event

from accounts.facade import Organization
from agents.importers.customers import customer_named, is_customer_key, warnings_about
from agents.importers.documents import Record, decode_record, records_in
from agents.importers.files import open_lines
from agents.importers.formats import anthropic_messages, langfuse, langsmith, openai_logs, otlp_json
from agents.importers.formats.reading import Context
from agents.importers.report import ImportReport, LineBroken, LineProblem, OnProblem, OnProgress
from agents.importers.writing import Sink, write_events
from kernel.clock import Clock, system_clock
from kernel.errors import InvalidError

Mapper = Callable[[Mapping[str, Any], Context], list[Event]]

#: The mapping of each format from a record to its events.
MAPPERS: Mapping[str, Mapper] = {
    "openai": openai_logs.events_of,
    "anthropic": anthropic_messages.events_of,
    "langsmith": langsmith.events_of,
    "langfuse": langfuse.events_of,
}
FORMATS = (*MAPPERS, "otlp")

_CONFLICT = "this record was imported before as another event (for another customer or agent, or it has changed)"
_MAX_CUSTOMERS = 10_000


def import_records(
    path: str | Path,
    *,
    organization: Organization,
    format: str,
    customer: str | None = None,
    agent: str | None = None,
    start: datetime | None = None,
    every: timedelta = timedelta(0),
    strict: bool = False,
    on_progress: OnProgress | None = None,
    on_problem: OnProblem | None = None,
    clock: Clock = system_clock,
) -> ImportReport:
    """Bring the records in the file at `path` into the log. Events' ids are made of the records' own.

    `customer` and `agent` (`key` or `key@version`) are for records that name none; without a customer, their usage is
    nobody's. Where a record has no time, the i-th of the file, counted from 0, has `start` + i * `every`. Importing
    again adds nothing. Raises `FileUnreadable`, and `InvalidError` for arguments that fit no file.
    """
    path = Path(path)
    if format not in FORMATS:
        raise InvalidError(f"A format is one of {', '.join(FORMATS)}", code="format_unknown")
    if every < timedelta(0) or (start is not None and start.tzinfo is None):
        raise InvalidError("start needs a time zone, and every cannot be negative")
    if agent is not None and (not agent.partition("@")[0] or len(agent) > 255 or "\x00" in agent):
        raise InvalidError("agent must be a key, or key@version, of at most 255 characters")
    warnings: list[str] = []
    if customer is not None:
        customer, warnings = customer_named(organization, customer)
    named: set[str] = set()

    def read(sink: Sink) -> None:
        _Reading(sink, format, customer, agent, named).read(path, start, every)

    report = write_events(
        read,
        organization_id=organization.pk,
        strict=strict,
        clock=clock,
        conflict=_CONFLICT,
        on_progress=on_progress,
        on_problem=on_problem,
    )
    report.warnings = [*warnings, *warnings_about(organization, named), *report.warnings]
    return report


class _Reading:
    """One pass over a file."""

    def __init__(self, sink: Sink, format: str, customer: str | None, agent: str | None, customers: set[str]) -> None:
        self._sink, self._format, self._customer, self._agent = sink, format, customer, agent
        self._customers = customers
        self._without = 0

    def read(self, path: Path, start: datetime | None, every: timedelta) -> None:
        place = 0
        with open_lines(path) as lines:
            for record in records_in(lines):
                self._sink.report.lines += 1
                try:
                    time = None if start is None else start + place * every
                    events = self._events(record, Context(self._customer, self._agent, time))
                except LineBroken as error:
                    self._sink.reject(LineProblem(record.line, error.code, error.detail))
                except OverflowError:
                    self._sink.reject(LineProblem(record.line, "time_invalid", "the time is beyond the calendar"))
                else:
                    self._take(record, events)
                place += 1
                self._sink.advance(lines)
        if self._without:
            self._sink.report.warnings.append(f"{self._without:,} events name no customer: their usage is nobody's")

    def _events(self, record: Record, context: Context) -> Sequence[Event]:
        if record.problem:
            raise LineBroken(record.problem, code="malformed_json")
        if self._format == "otlp":
            events, refused = otlp_json.events_of(record.text, context)
            for code, detail in refused:
                self._sink.reject(LineProblem(record.line, code, detail))
            return events
        try:
            value = decode_record(record.text)
        except ValueError as error:
            raise LineBroken(str(error), code="malformed_json") from None
        if not isinstance(value, dict):
            raise LineBroken("not a JSON object")
        return MAPPERS[self._format](value, context)

    def _take(self, record: Record, events: Sequence[Event]) -> None:
        report = self._sink.report
        if not events:
            report.ignored += 1
            return
        for event in events:
            customer = event.get("subject")
            if customer is None:
                self._without += 1
            elif customer != self._customer and is_customer_key(customer) and len(self._customers) < _MAX_CUSTOMERS:
                self._customers.add(customer)
            report.tasks += event["type"] == "agent.task"
            report.turns += event["type"] == "agent.turn"
            report.decisions += event["type"] == "agent.decision"
            report.succeeded += event["data"].get("outcome") == "succeeded"
        self._sink.add(record.line, events)
