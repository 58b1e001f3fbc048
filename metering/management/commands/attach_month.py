from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError

from kernel.errors import TaximeterError
from metering.management.arguments import month_argument
from metering.services.retention import attach_month


class Command(BaseCommand):
    help = "Bring the events of a detached month back into the log, and remove its files. Run again, nothing happens."

    def add_arguments(self, parser: Any) -> None:
        parser.add_argument("--month", required=True, type=month_argument, help="YYYY-MM, of UTC")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            events = attach_month(month=options["month"])
        except TaximeterError as error:
            raise CommandError(error.detail) from None
        self.stdout.write(f"{events:,} events are in the log again")
