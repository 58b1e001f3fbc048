"""How the import commands show what they do: a bar on a terminal, plain lines elsewhere."""

from __future__ import annotations

from argparse import ArgumentTypeError
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from re import fullmatch
from typing import Any

import psycopg
from django.core.management.base import CommandError, OutputWrapper
from django.db import InterfaceError, OperationalError
from rich.console import Console
from rich.progress import BarColumn, TaskProgressColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bar

from agents.importers.report import ImportReport, LineProblem, OnProblem, OnProgress, Progress
from kernel.errors import TaximeterError

_SHOWN_PROBLEMS = 50

#: A COPY that breaks off raises psycopg's own errors, past Django's.
_CONNECTION_LOST = (OperationalError, InterfaceError, psycopg.OperationalError, psycopg.InterfaceError)


def instant_argument(text: str) -> datetime:
    """ISO 8601, such as 2026-10-01T09:00:00Z; without a zone it is in UTC, a day alone is its midnight."""
    try:
        instant = datetime.fromisoformat(text)
    except ValueError:
        raise ArgumentTypeError(f"{text!r} is not a time like 2026-10-01T09:00:00Z") from None
    return instant if instant.tzinfo else instant.replace(tzinfo=UTC)


def duration_argument(text: str) -> timedelta:
    """Such as 90s, 5m, 2h, 1d or 1h30m."""
    found = fullmatch(r"(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?", text.strip())
    if not text.strip() or found is None:
        raise ArgumentTypeError(f"{text!r} is not a duration like 5m, 90s or 1h30m")
    days, hours, minutes, seconds = (int(part or 0) for part in found.groups())
    try:
        return timedelta(days=days, hours=hours, minutes=minutes, seconds=seconds)
    except OverflowError:
        raise ArgumentTypeError(f"{text!r} is too long") from None


def run_import(
    command: Any,
    work: Callable[[OnProgress, OnProblem], ImportReport],
    summary: Callable[[ImportReport], Iterable[str]],
) -> None:
    """Do `work`, show how far it is and what it refuses (on standard error), and then its summary.

    Raises `CommandError`: with the reason where nothing could be imported, and at the end where any line was not.
    """
    problems = _Problems(command.stderr)
    try:
        with _showing(command.stderr) as on_progress:
            report = work(on_progress, problems)
    except TaximeterError as error:
        raise CommandError(error.detail) from None
    except _CONNECTION_LOST as error:
        reason = str(error).strip().splitlines()[0] if str(error).strip() else "the connection was lost"
        raise CommandError(
            f"The database went away: {reason}\nWhat was written stays written. Run the same command again: it goes on."
        ) from None
    except KeyboardInterrupt:
        raise CommandError("Interrupted. Run the same command again: it goes on.", returncode=130) from None
    problems.close()
    for warning in report.warnings:
        command.stderr.write(f"Warning: {warning}")
    for line in summary(report):
        command.stdout.write(line)
    if report.quarantined:
        command.stderr.write(f"Warning: {report.quarantined:,} event(s) are in quarantine and count once released")
    if report.rejected:
        raise CommandError(f"{report.rejected:,} line(s) were not taken")


class _Problems:
    """Writes the first problems as they come; the rest are counted."""

    def __init__(self, out: OutputWrapper) -> None:
        self._out, self._count = out, 0

    def __call__(self, problem: LineProblem) -> None:
        self._count += 1
        if self._count <= _SHOWN_PROBLEMS:
            # What a file holds does not get to steer the terminal.
            self._out.write("".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in str(problem)))

    def close(self) -> None:
        if self._count > _SHOWN_PROBLEMS:
            self._out.write(f"… and {self._count - _SHOWN_PROBLEMS:,} more like these")


@contextmanager
def _showing(out: OutputWrapper) -> Iterator[OnProgress]:
    if not out.isatty():
        yield _Lines(out)
        return
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TextColumn("{task.fields[lines]}"))
    with Bar(*columns, TimeRemainingColumn(), console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("Reading", total=None, lines="")

        def show(progress: Progress) -> None:
            bar.update(
                task,
                description=progress.stage.capitalize(),
                completed=progress.done,
                total=progress.size,
                lines=f"{progress.report.lines:,} lines",
            )

        yield show


class _Lines:
    """A line for every tenth of the file."""

    def __init__(self, out: OutputWrapper) -> None:
        self._out, self._last = out, ("", 0)

    def __call__(self, progress: Progress) -> None:
        tenth = 10 * progress.done // progress.size if progress.size else 10
        if (progress.stage, tenth) != self._last:
            self._last = (progress.stage, tenth)
            self._out.write(f"{progress.stage}: {10 * tenth} %, {progress.report.lines:,} lines")
