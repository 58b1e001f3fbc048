from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError

from accounts.facade import act_as, create_api_key, get_organization
from kernel.errors import TaximeterError
from rest.access import SCOPES


class Command(BaseCommand):
    help = "Make an API key and print its secret, nothing else. It is shown this once."

    def add_arguments(self, parser: Any) -> None:
        parser.add_argument("--organization", required=True, help="key or id of the organization")
        parser.add_argument(
            "--scope", action="append", required=True, choices=SCOPES, help="may be given several times"
        )
        parser.add_argument("--name", default="")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            organization = get_organization(options["organization"])
            act_as("command line")
            _, secret = create_api_key(organization=organization, scopes=options["scope"], name=options["name"])
        except TaximeterError as error:
            raise CommandError(error.detail) from error
        self.stdout.write(secret)
