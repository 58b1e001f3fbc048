from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError

from accounts.facade import Organization
from inference.queries.models import get_model, tasks_of_model
from inference.services.catalogue import recall_model
from kernel.clock import system_clock
from kernel.errors import TaximeterError


class Command(BaseCommand):
    help = "Recall a model: engines refuse it at once and for good. Lists the tasks it worked on."

    def add_arguments(self, parser: Any) -> None:
        parser.add_argument("model", help="key or digest")
        parser.add_argument("--reason", required=True)

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            model = get_model(options["model"])
            recall_model(model=model, reason=options["reason"], actor="command line", now=system_clock())
        except TaximeterError as error:
            raise CommandError(error.detail) from error
        self.stdout.write(f"{model.key} {model.digest} is recalled. It worked on:")
        for organization in Organization.objects.order_by("key"):
            for task in tasks_of_model(organization_id=organization.pk, digest=model.digest).iterator():
                self.stdout.write(
                    f"{organization.key}\t{task['customer'] or '-'}\t{task['task_id'] or '-'}\t{task['calls']} calls"
                )
