from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand

from inference.models import Model


class Command(BaseCommand):
    help = "List the catalogue of models, one a line: key, digest, architecture, quantization, state."

    def handle(self, *args: Any, **options: Any) -> None:
        for model in Model.objects.all():
            state = f"recalled: {model.recall_reason}" if model.recalled_at else "in use"
            self.stdout.write("\t".join([model.key, model.digest, model.architecture, model.quantization, state]))
