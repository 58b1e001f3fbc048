from __future__ import annotations

from argparse import ArgumentTypeError
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from accounts.facade import Organization, get_organization
from exports.facade import FORMATS, export_invoices
from kernel.errors import TaximeterError
from kernel.period import Month


def _month(text: str) -> Month:
    try:
        return Month.parse(text)
    except ValueError as error:
        raise ArgumentTypeError(str(error)) from None


class Command(BaseCommand):
    help = "Write a month's invoices and their lines to files, and print the paths."

    def add_arguments(self, parser: Any) -> None:
        parser.add_argument("--month", required=True, type=_month, help="YYYY-MM")
        parser.add_argument("--format", required=True, choices=list(FORMATS))
        parser.add_argument("--out", required=True, type=Path, metavar="DIR", help="made if missing")
        parser.add_argument("--organization", help="key or id; without it, files for each organization")

    def handle(self, *args: Any, **options: Any) -> None:
        month, empty = options["month"], []
        try:
            if options["organization"]:
                organizations = [get_organization(options["organization"])]
            else:
                organizations = list(Organization.objects.order_by("key"))
            for organization in organizations:
                exported = export_invoices(
                    organization=organization, month=month, format=options["format"], directory=options["out"]
                )
                for path in exported.paths:
                    self.stdout.write(str(path))
                if not exported.invoices:
                    empty.append(organization.key)
        except TaximeterError as error:
            raise CommandError(error.detail) from None
        except OSError as error:
            raise CommandError(f"{options['out']} cannot be written to: {error.strerror or error}") from None
        if not organizations:
            raise CommandError("There is no organization yet")
        for key in empty:
            self.stderr.write(f"{key} has no invoices for {month}: its files hold headers alone")
