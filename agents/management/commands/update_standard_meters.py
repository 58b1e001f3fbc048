from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError

from accounts.facade import Organization, get_organization
from agents.services.set_up import update_standard_meters
from kernel.errors import NotFoundError


class Command(BaseCommand):
    help = "Bring standard meters that nobody changed to the present definitions. A meter's history is counted anew."

    def add_arguments(self, parser: Any) -> None:
        parser.add_argument("--organization", help="key or id; all of them unless given")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            chosen = [get_organization(options["organization"])] if options["organization"] else None
        except NotFoundError as error:
            raise CommandError(error.detail) from None
        for organization in chosen or Organization.objects.order_by("id"):
            keys = update_standard_meters(organization=organization)
            self.stdout.write(f"{organization.key}: {', '.join(keys) or 'nothing to change'}")
