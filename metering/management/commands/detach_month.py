from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError

from kernel.clock import system_clock
from kernel.errors import TaximeterError
from metering.management.arguments import month_argument
from metering.services.retention import detach_month


class Command(BaseCommand):
    help = (
        "Move the events of a month that is over from the log to a Parquet file, for all organizations. Usage answers "
        "stay what they are. Killed or run again, it ends right; events that came late make another file."
    )

    def add_arguments(self, parser: Any) -> None:
        parser.add_argument("--month", required=True, type=month_argument, help="YYYY-MM, of UTC")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            archive = detach_month(month=options["month"], now=system_clock())
        except TaximeterError as error:
            raise CommandError(error.detail) from None
        if archive is None:
            self.stdout.write(f"The log has no events of {options['month']}")
        else:
            self.stdout.write(f"{archive.events:,} events in {archive.file} ({archive.size:,} bytes)")
