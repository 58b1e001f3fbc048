from __future__ import annotations

import logging
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.db import connections

from inference.domain.manifest import SignatureRefused, read_public_key
from inference.engine.catalogue import Catalogue
from inference.engine.config import EngineConfig
from inference.engine.keeper import keep_serving
from inference.engine.process import serve
from inference.engine.service import EngineService
from inference.services.catalogue import ModelRecalled, ensure_model
from inference.services.engine_catalogue import EngineLog, follow, read_entries
from kernel.clock import system_clock
from kernel.errors import TaximeterError

logger = logging.getLogger("inference")


class Command(BaseCommand):
    requires_system_checks = []  # they load all addresses and views; back in seconds counts more here
    help = "Run the engine: the one process that holds models, answering on a unix socket until TERM or Ctrl-C."

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            config = EngineConfig(
                socket=Path(settings.ENGINE_SOCKET), secret=settings.ENGINE_SECRET, **settings.ENGINE_OPTIONS
            )
            for key in config.publisher_keys:
                read_public_key(key)
        except (TaximeterError, ValueError) as error:
            raise CommandError(f"The engine cannot start: {error}") from error
        connections.close_all()
        sys.exit(keep_serving(lambda tell: self._serve(config, tell)))

    def _serve(self, config: EngineConfig, tell: Callable[[], None]) -> int:
        """The engine itself, in a process of its own; its exit status."""
        try:
            first = _configured_model()
            catalogue = Catalogue(read_entries(first=first), publisher_keys=config.publisher_keys, log=EngineLog())
            connections.close_all()

            def on_ready(service: EngineService) -> None:
                follow(service, first=first)
                tell()
                self.stdout.write(f"ready: {', '.join(entry.id for entry in catalogue.entries()[:1]) or 'no model'}")

            serve(config, catalogue, on_ready=on_ready)
        except (TaximeterError, ValueError) as error:
            self.stderr.write(f"CommandError: The engine cannot start: {error}")
            return 1
        except Exception:
            traceback.print_exc()
            return 1
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
        return 0


def _configured_model() -> str | None:
    """The digest of the model that the settings name; None where it is refused, which was audited."""
    try:
        return ensure_model(configured=settings.ENGINE_MODEL_PATH, now=system_clock()).digest
    except (SignatureRefused, ModelRecalled) as error:
        logger.error("the configured model is refused: %s", error.detail)
        return None
