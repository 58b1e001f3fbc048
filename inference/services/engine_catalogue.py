"""The database's catalogue for the engine process: read at the start, and again whenever it changes."""

from __future__ import annotations

import logging
import threading
import time
from pathlib import Path

from django.db import Error, close_old_connections, connection

from inference.domain.gguf import ModelMetadata
from inference.engine.catalogue import Entry
from inference.engine.model_file import ModelFile
from inference.engine.service import EngineService
from inference.models import Model
from inference.services.catalogue import CHANNEL, audit_everywhere
from kernel.clock import system_clock

logger = logging.getLogger("inference")

#: How long an engine goes on without reading the catalogue where no news comes (PgBouncer passes none), in seconds.
_READ_EVERY = 5.0


def read_entries(*, first: str | None) -> list[Entry]:
    """The catalogue as the engine holds it, the model with the digest `first` before the others."""
    rows = sorted(Model.objects.exclude(metadata={}), key=lambda row: (row.digest != first, row.key))
    return [_entry(row) for row in rows]


def _entry(row: Model) -> Entry:
    file = ModelFile(
        id=row.key,
        path=Path(row.path),
        digest=row.digest,
        size_bytes=row.size_bytes,
        metadata=ModelMetadata(**row.metadata),
    )
    recalled = (row.recall_reason or "no reason given") if row.recalled_at else ""
    return Entry(file, manifest=row.manifest.encode(), signature=row.signature, recalled=recalled)


class EngineLog:
    """Writes down what the engine refuses and loads. The engine goes on where that cannot be done."""

    def refused(self, entry: Entry, code: str, reason: str) -> None:
        try:
            audit_everywhere(actor="engine", action="model.refuse", target=entry.digest, code=code, reason=reason)
        except Error:
            logger.exception("the refusal of %s could not be written down", entry.id)
        finally:
            connection.close()

    def loaded(self, entry: Entry) -> None:
        try:
            Model.objects.filter(digest=entry.digest).update(loaded_at=system_clock())
        except Error:
            logger.exception("the loading of %s could not be written down", entry.id)
        finally:
            connection.close()


def follow(service: EngineService, *, first: str | None) -> None:
    """Keeps the engine's copy of the catalogue up to date, in a thread of its own, until the process ends."""

    def run() -> None:
        while True:
            try:
                _listen(service, first)
            except Error as error:
                logger.warning("the catalogue cannot be read: %s", error)
                connection.close()
                time.sleep(1)

    threading.Thread(target=run, name="catalogue", daemon=True).start()


def _listen(service: EngineService, first: str | None) -> None:
    close_old_connections()
    with connection.cursor() as cursor:
        cursor.execute(f"LISTEN {CHANNEL}")
    while True:
        service.replace_catalogue(read_entries(first=first))
        for _ in connection.connection.notifies(timeout=_READ_EVERY, stop_after=1):
            pass
