from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from accounts.facade import get_organization
from agents.importers.chat import import_runs
from agents.importers.report import ImportReport, OnProblem, OnProgress
from agents.importers.terminal import duration_argument, instant_argument, run_import
from kernel.errors import NotFoundError


class Command(BaseCommand):
    help = "Import agents' recorded runs: JSON lines with messages in the OpenAI chat format, tool_calls and reward."

    def add_arguments(self, parser: Any) -> None:
        parser.add_argument("file", help="JSON lines, plain or gzipped (.gz)")
        parser.add_argument("--format", choices=["chat"], default="chat")
        parser.add_argument("--organization", required=True, help="key or id")
        parser.add_argument("--customer", required=True, help="key or id; it may be made later")
        parser.add_argument("--agent", required=True, help="key, or key@version")
        parser.add_argument("--start", required=True, type=instant_argument, help="when the first run started, in UTC")
        parser.add_argument("--every", required=True, type=duration_argument, help="from run to run: 5m, 90s, 1h30m")
        parser.add_argument("--strict", action="store_true", help="import nothing if any line cannot be taken")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            organization = get_organization(options["organization"])
        except NotFoundError as error:
            raise CommandError(error.detail) from None

        def work(on_progress: OnProgress, on_problem: OnProblem) -> ImportReport:
            return import_runs(
                options["file"],
                organization=organization,
                customer=options["customer"],
                agent=options["agent"],
                start=options["start"],
                every=options["every"],
                strict=options["strict"],
                on_progress=on_progress,
                on_problem=on_problem,
            )

        run_import(self, work, _summary)


def _summary(report: ImportReport) -> Iterator[str]:
    yield f"{report.tasks:,} tasks, {report.succeeded:,} of them succeeded"
    yield f"{report.turns:,} turns, {report.decisions:,} decisions"
    yield f"events: {report.accepted:,} accepted, {report.duplicates:,} duplicates; lines rejected: {report.rejected:,}"
