from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError

from accounts.facade import Organization, get_organization
from agents.services import projection
from kernel.errors import NotFoundError


class Command(BaseCommand):
    help = "Make the task summaries and the usage of calls anew from the log. Killed, the workers go on with it."

    def add_arguments(self, parser: Any) -> None:
        parser.add_argument("--organization", help="key or id; all of them unless given")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            chosen = [get_organization(options["organization"])] if options["organization"] else None
        except NotFoundError as error:
            raise CommandError(error.detail) from None
        for organization in chosen or Organization.objects.order_by("id"):
            projection.rebuild(organization_id=organization.pk)
            self.stdout.write(f"{organization.key}: forgotten")
        steps = projection.advance_task_summaries()
        self.stdout.write(f"Made anew in {steps} steps")
