from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError

from accounts.facade import record_audit
from agents.facade import set_up_organization
from kernel.errors import TaximeterError


class Command(BaseCommand):
    help = "Make an organization with the standard meters of agent activity, and print its key."

    def add_arguments(self, parser: Any) -> None:
        parser.add_argument("name")
        parser.add_argument("--key", help="what to call it in commands; made from the name unless given")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            organization = set_up_organization(name=options["name"], key=options["key"])
        except TaximeterError as error:
            raise CommandError(error.detail) from error
        record_audit(
            organization_id=organization.pk,
            actor="command line",
            action="organization.create",
            target=organization.public_id,
        )
        self.stdout.write(organization.key)
