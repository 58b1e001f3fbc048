from __future__ import annotations

import argparse
import csv
from collections.abc import Iterator
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from accounts.facade import get_organization
from agents.importers.report import ImportReport, OnProblem, OnProgress
from agents.importers.rows import SOURCE, import_events
from agents.importers.tables import FORMATS
from agents.importers.terminal import run_import
from kernel.errors import NotFoundError


class Command(BaseCommand):
    help = "Import a CSV, JSON lines or Parquet file as usage events, one a row."

    def add_arguments(self, parser: Any) -> None:
        parser.add_argument("file", help="CSV and JSON lines may be gzipped (.gz)")
        parser.add_argument("--organization", required=True, help="key or id")
        parser.add_argument("--type", required=True, help="the events' type, such as inference.call")
        parser.add_argument("--time", required=True, metavar="COLUMN", help="where the time of each event stands")
        parser.add_argument(
            "--data", type=_columns, action="append", default=[], metavar="NAME=COLUMN,…", help="the events' data"
        )
        customer = parser.add_mutually_exclusive_group(required=True)
        customer.add_argument("--customer", help="key or id, for all rows; it may be made later")
        customer.add_argument("--customer-column", metavar="COLUMN", help="where each row's customer key stands")
        parser.add_argument("--id-column", metavar="COLUMN", help="where each row's id stands; else made from the row")
        parser.add_argument("--source", default=SOURCE, help=f"half of every event's identity ({SOURCE})")
        parser.add_argument("--format", choices=FORMATS, help="where the file's name does not say it")
        parser.add_argument("--timezone", default="UTC", help="of times that name no zone (UTC)")
        parser.add_argument("--strict", action="store_true", help="import nothing if any row cannot be taken")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            organization = get_organization(options["organization"])
        except NotFoundError as error:
            raise CommandError(error.detail) from None
        names = ["type", "time", "customer", "customer_column", "id_column", "source", "format", "timezone", "strict"]
        data = [pair for pairs in options["data"] for pair in pairs]
        if len({name for name, _ in data}) != len(data):
            raise CommandError("--data names a field twice")

        def work(on_progress: OnProgress, on_problem: OnProblem) -> ImportReport:
            return import_events(
                options["file"],
                organization=organization,
                data=dict(data),
                on_progress=on_progress,
                on_problem=on_problem,
                **{name: options[name] for name in names},
            )

        run_import(self, work, _summary)


def _columns(text: str) -> list[tuple[str, str]]:
    """`input_tokens=ContextTokens,output_tokens` as pairs; a column whose name has a comma is quoted as in CSV."""
    pairs = []
    for part in next(csv.reader([text])):
        name, _, column = part.strip().partition("=")
        if not name:
            raise argparse.ArgumentTypeError(f"{text!r} is not NAME=COLUMN,NAME=COLUMN,…")
        pairs.append((name, column or name))
    return pairs


def _summary(report: ImportReport) -> Iterator[str]:
    yield f"{report.lines:,} rows"
    yield f"events: {report.accepted:,} accepted, {report.duplicates:,} duplicates; rows rejected: {report.rejected:,}"
