from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from accounts.facade import get_organization
from agents.importers.chat import import_runs
from agents.importers.records import FORMATS, import_records
from agents.importers.report import ImportReport, OnProblem, OnProgress
from agents.importers.terminal import duration_argument, instant_argument, run_import
from kernel.errors import NotFoundError


class Command(BaseCommand):
    help = (
        "Import agents' recorded work: runs as OpenAI chat messages with a reward (chat), logs of OpenAI's or "
        "Anthropic's API, exports of LangSmith or Langfuse, or OTLP in JSON."
    )

    def add_arguments(self, parser: Any) -> None:
        parser.add_argument("file", help="JSON, one record a line or an array, plain or gzipped (.gz)")
        parser.add_argument("--format", choices=["chat", *FORMATS], default="chat")
        parser.add_argument("--organization", required=True, help="key or id")
        parser.add_argument("--customer", help="key or id, for records that name none; it may be made later")
        parser.add_argument("--agent", help="key, or key@version, for records that name none")
        parser.add_argument("--start", type=instant_argument, help="when the first record was, where they have no time")
        parser.add_argument("--every", type=duration_argument, help="from record to record: 5m, 90s, 1h30m")
        parser.add_argument("--strict", action="store_true", help="import nothing if any line cannot be taken")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            organization = get_organization(options["organization"])
        except NotFoundError as error:
            raise CommandError(error.detail) from None
        if options["format"] == "chat":
            missing = [f"--{name}" for name in ("customer", "agent", "start", "every") if options[name] is None]
            if missing:
                raise CommandError(f"chat needs {', '.join(missing)} as well")

        def work(on_progress: OnProgress, on_problem: OnProblem) -> ImportReport:
            common: dict[str, Any] = {
                "organization": organization,
                "on_progress": on_progress,
                "on_problem": on_problem,
                **{name: options[name] for name in ("customer", "agent", "start", "strict")},
            }
            if options["format"] == "chat":
                return import_runs(options["file"], every=options["every"], **common)
            every = options["every"] or timedelta(0)
            return import_records(options["file"], format=options["format"], every=every, **common)

        run_import(self, work, _summary)


def _summary(report: ImportReport) -> Iterator[str]:
    yield f"{report.tasks:,} tasks, {report.succeeded:,} of them succeeded"
    yield f"{report.turns:,} turns, {report.decisions:,} decisions"
    if report.ignored:
        yield f"{report.ignored:,} records stand for nothing that is counted"
    yield f"events: {report.accepted:,} accepted, {report.duplicates:,} duplicates; lines rejected: {report.rejected:,}"
