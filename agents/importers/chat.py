"""Recorded runs of agents, JSON lines in the OpenAI chat format, brought into the log."""

from __future__ import annotations

import hashlib
from datetime import datetime, timedelta
from pathlib import Path

from accounts.facade import Organization
from agents.importers.customers import customer_named
from agents.importers.files import open_lines
from agents.importers.report import ImportReport, LineBroken, LineProblem, OnProblem, OnProgress
from agents.importers.trajectories import read_run, run_events
from agents.importers.writing import Sink, write_events
from kernel.clock import Clock, system_clock
from kernel.errors import InvalidError

_CONFLICT = "this run was imported before with other times (--start, --every or its place in the file)"


def import_runs(
    path: str | Path,
    *,
    organization: Organization,
    customer: str,
    agent: str,
    start: datetime,
    every: timedelta,
    strict: bool = False,
    on_progress: OnProgress | None = None,
    on_problem: OnProblem | None = None,
    clock: Clock = system_clock,
) -> ImportReport:
    """Bring the runs in the file at `path` into the log, as worked by `agent` (`key` or `key@version`) for `customer`.

    The run in the file's i-th filled line, counted from 0 and broken ones included, starts at
    `start` + i * `every`. Importing again adds nothing; two equal lines are one run. Of a run that was
    read only a short hash stays in memory. A customer nobody knows yet is a warning.

    Raises `FileUnreadable`, and `InvalidError` for arguments that fit no file.
    """
    path = Path(path)
    if start.tzinfo is None or every < timedelta(0):
        raise InvalidError("start needs a time zone, and every cannot be negative")
    if not agent.partition("@")[0] or len(agent) > 255 or "\x00" in agent:
        raise InvalidError("agent must be a key, or key@version, of at most 255 characters")
    customer, warnings = customer_named(organization, customer)

    def read(sink: Sink) -> None:
        _read(path, sink, customer=customer, agent=agent, start=start, every=every)

    report = write_events(
        read,
        organization_id=organization.pk,
        strict=strict,
        clock=clock,
        conflict=_CONFLICT,
        on_progress=on_progress,
        on_problem=on_problem,
    )
    report.warnings = warnings + report.warnings
    return report


def _read(path: Path, sink: Sink, *, customer: str, agent: str, start: datetime, every: timedelta) -> None:
    report, seen, place = sink.report, set[bytes](), 0
    with open_lines(path) as lines:
        for number, line in lines:
            if line is not None and not line.strip():
                continue
            report.lines += 1
            try:
                if line is None:
                    raise LineBroken("the line is too long", code="line_too_long")
                run = read_run(line.removeprefix(b"\xef\xbb\xbf"))
                events = run_events(run, customer=customer, agent=agent, starts_at=start + place * every)
            except LineBroken as error:
                sink.reject(LineProblem(number, error.code, error.detail))
            except OverflowError:
                sink.reject(LineProblem(number, "time_invalid", "the run would start beyond the calendar"))
            else:
                short = hashlib.blake2b(run.digest.encode(), digest_size=16).digest()
                if short in seen:
                    report.duplicates += len(events)
                else:
                    seen.add(short)
                    report.tasks += 1
                    report.turns += run.turns
                    report.decisions += run.decisions
                    report.succeeded += run.succeeded
                    sink.add(number, events)
            place += 1
            sink.advance(lines)
