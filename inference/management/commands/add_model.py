from __future__ import annotations

from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from inference.engine.model_file import describe_model_file
from inference.services.catalogue import add_model
from kernel.clock import system_clock
from kernel.errors import TaximeterError


class Command(BaseCommand):
    help = "Enter a GGUF file into the catalogue of models, with its manifest and signature where they lie beside it."

    def add_arguments(self, parser: Any) -> None:
        parser.add_argument("path", type=Path)
        parser.add_argument("--key", help="what requests call it; made from its name unless given")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            file = describe_model_file(options["path"])
            model = add_model(file=file, actor="command line", now=system_clock(), key=options["key"])
        except TaximeterError as error:
            raise CommandError(error.detail) from error
        self.stdout.write(f"{model.key} {model.digest}")
