from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.db import connections

from inference.engine.catalogue import Catalogue, Entry
from inference.engine.config import EngineConfig
from inference.engine.model_file import find_model_file
from inference.engine.process import serve
from inference.services.catalogue import register_model
from kernel.clock import system_clock
from kernel.errors import TaximeterError


class Command(BaseCommand):
    help = "Run the engine: the one process that holds a model, answering on a unix socket until TERM or Ctrl-C."

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            config = EngineConfig(
                socket=Path(settings.ENGINE_SOCKET), secret=settings.ENGINE_SECRET, hardware=settings.HARDWARE_CLASS
            )
            file = find_model_file(settings.ENGINE_MODEL_PATH)
            register_model(file=file, now=system_clock())
            connections.close_all()  # the engine itself needs no database
            serve(config, Catalogue([Entry(file)]), on_ready=lambda _: self.stdout.write(f"ready: {file.id}"))
        except (TaximeterError, ValueError) as error:
            raise CommandError(f"The engine cannot start: {error}") from error
        sys.stdout.flush()
        sys.stderr.flush()
        # Leaving without llama.cpp's destructors: they can hang, and the system frees all of it anyway.
        os._exit(0)
