"""Events on their way into the log: in batches, each line's events together, all or nothing where asked."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

from django.db import transaction

from agents.importers.report import KEPT_PROBLEMS, ImportReport, LineProblem, OnProblem, OnProgress, Progress
from kernel.clock import Clock
from metering.facade import CloudEvent, IngestResult, ingest

#: Events in one transaction. The events of one line are never in two.
BATCH = 5_000

Events = Sequence[Mapping[str, Any] | CloudEvent]


class Source(Protocol):
    """A file being read, which knows how far it is."""

    @property
    def position(self) -> int: ...

    @property
    def size(self) -> int: ...


class Sink:
    """Takes each line's events and refusals, and writes nothing: what the first pass of a strict import uses."""

    stage = "checking"

    def __init__(self, report: ImportReport, on_progress: OnProgress | None, on_problem: OnProblem | None) -> None:
        self.report = report
        self._on_progress, self._on_problem = on_progress, on_problem

    def add(self, line: int, events: Events) -> None:
        """The events that line `line` became."""

    def reject(self, problem: LineProblem) -> None:
        self.report.rejected += 1
        self._note_problem(problem)

    def _note_problem(self, problem: LineProblem) -> None:
        if len(self.report.problems) < KEPT_PROBLEMS:
            self.report.problems.append(problem)
        if self._on_problem:
            self._on_problem(problem)

    def advance(self, source: Source) -> None:
        """Say how far the file is; called often, so whoever listens decides how often to show it."""
        if self._on_progress:
            self._on_progress(Progress(self.stage, source.position, source.size, self.report))

    def finish(self) -> None:
        """Everything was added."""


class EventWriter(Sink):
    """Writes events through metering's door, `BATCH` at a time."""

    stage = "importing"

    def __init__(
        self,
        report: ImportReport,
        on_progress: OnProgress | None,
        on_problem: OnProblem | None,
        *,
        organization_id: int,
        clock: Clock,
        conflict: str,
    ) -> None:
        super().__init__(report, on_progress, on_problem)
        self._organization_id, self._clock, self._conflict = organization_id, clock, conflict
        self._events: list[Mapping[str, Any] | CloudEvent] = []
        self._lines: list[int] = []

    def add(self, line: int, events: Events) -> None:
        if self._events and len(self._events) + len(events) > BATCH:
            self.finish()
        self._events += events
        self._lines += [line] * len(events)

    def finish(self) -> None:
        events, lines = self._events, self._lines
        self._events, self._lines = [], []
        results: list[tuple[int, IngestResult]] = []
        with transaction.atomic():
            for start in range(0, len(events), BATCH):
                part = events[start : start + BATCH]
                results.append(
                    (
                        start,
                        ingest(
                            organization_id=self._organization_id,
                            events=part,
                            received_at=self._clock(),
                            backfill=True,
                        ),
                    )
                )
        for start, result in results:
            self._note(result, lines[start:])

    def _note(self, result: IngestResult, lines: Sequence[int]) -> None:
        self.report.accepted += result.accepted
        self.report.duplicates += result.duplicates
        for one in result.quarantined or []:
            self.report.quarantined += 1
            self._note_problem(LineProblem(lines[one.index], one.code, f"in quarantine: {one.detail}"))
        noted = 0
        for refusal in result.rejected:
            if lines[refusal.index] != noted:
                noted = lines[refusal.index]
                detail = self._conflict if refusal.code == "id_conflict" else refusal.detail
                self.reject(LineProblem(noted, refusal.code, detail))


class _Refused(Exception):
    pass


def write_events(
    read: Callable[[Sink], None],
    *,
    organization_id: int,
    strict: bool,
    clock: Clock,
    conflict: str,
    on_progress: OnProgress | None,
    on_problem: OnProblem | None,
) -> ImportReport:
    """Let `read` fill a sink, and write what it adds. `conflict` says what an `id_conflict` means here.

    With `strict`, `read` is called once to look for broken lines, and only if there are none again, in one
    transaction that any refusal rolls back. What was written without `strict` stays written if this is
    interrupted: reading the same file again goes on from there.
    """
    if strict:
        check = Sink(ImportReport(), on_progress, on_problem)
        read(check)
        if check.report.rejected:
            return check.report
    report = ImportReport()
    writer = EventWriter(
        report, on_progress, on_problem, organization_id=organization_id, clock=clock, conflict=conflict
    )
    if not strict:
        read(writer)
        writer.finish()
        return report
    try:
        with transaction.atomic():
            read(writer)
            writer.finish()
            if report.rejected or report.quarantined:
                raise _Refused
    except _Refused:
        report.rejected += report.quarantined
        report.accepted = report.duplicates = report.quarantined = 0
    return report
