"""Which models the engine may load: those in its catalogue, if their bytes are the ones they are known by.

The catalogue itself is kept elsewhere (`inference.services.engine_catalogue` keeps it in the database);
the engine holds a copy, which is replaced when the catalogue changes.
"""

from __future__ import annotations

import hashlib
import logging
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from inference.domain.manifest import require_signature
from inference.domain.requests import RequestError
from inference.engine.model_file import ModelFile
from kernel.errors import InvalidError
from kernel.redaction import without_paths

logger = logging.getLogger("inference.engine")


class ModelRefused(RequestError):
    """A model of the catalogue that is not to be loaded; `code` says why."""

    code = "model_refused"


@dataclass(frozen=True, slots=True)
class Entry:
    """A model of the catalogue. `recalled` is the reason why it must not be used, empty where it may."""

    file: ModelFile
    manifest: bytes = b""
    signature: str = ""
    recalled: str = ""

    @property
    def id(self) -> str:
        return self.file.id

    @property
    def digest(self) -> str:
        return self.file.digest


class Log(Protocol):
    """Is told what becomes of models; raises nothing."""

    def refused(self, entry: Entry, code: str, reason: str) -> None:
        """`code` is stable, `reason` for people."""

    def loaded(self, entry: Entry) -> None:
        """Its bytes were checked, and it answers."""


class NoLog:
    def refused(self, entry: Entry, code: str, reason: str) -> None:
        pass

    def loaded(self, entry: Entry) -> None:
        pass


class Catalogue:
    """The engine's copy of the catalogue; the first entry is the model that is meant where none is named."""

    def __init__(self, entries: Sequence[Entry], *, publisher_keys: Sequence[str] = (), log: Log | None = None) -> None:
        self._lock = threading.Lock()
        self._publisher_keys = publisher_keys
        self.log: Log = log or NoLog()
        self._told: set[tuple[str, str]] = set()
        self.replace(entries)

    def replace(self, entries: Sequence[Entry]) -> None:
        """The catalogue as it is from now on."""
        with self._lock:
            self._entries = list(entries)
            self._by_name = {name: entry for entry in entries for name in (entry.digest, entry.id)}
            self._told = {(digest, code) for digest, code in self._told if digest in self._by_name}

    def entries(self) -> list[Entry]:
        """The models that may be used."""
        return [entry for entry in self._entries if not entry.recalled]

    def find(self, name: str) -> Entry:
        """The model called `name`, or with that digest; `RequestError` for an unknown one, `ModelRefused` for
        a recalled one."""
        entry = self._by_name.get(name)
        if entry is None:
            raise RequestError(f"There is no model '{name}' in the catalogue", param="model", code="model_not_found")
        if entry.recalled:
            raise self._refuse(entry, "model_recalled", f"The model '{name}' was recalled: {entry.recalled}")
        return entry

    @contextmanager
    def verified(self, entry: Entry) -> Iterator[Path]:
        """A path to the entry's bytes, checked to be the ones it is known by: the path stays with the file that
        was read, whatever is put in its place. Raises `ModelRefused`."""
        try:
            require_signature(
                digest=entry.digest,
                manifest=entry.manifest,
                signature=entry.signature,
                keys=self._publisher_keys,
            )
            with entry.file.path.open("rb") as file:
                found = hashlib.file_digest(file, "sha256").hexdigest()
                if found != entry.digest:
                    raise InvalidError(
                        f"The SHA-256 of {entry.file.path.name} is {found}, not {entry.digest}",
                        code="model_digest_mismatch",
                    )
                with self._lock:
                    self._told = {told for told in self._told if told[0] != entry.digest}
                yield Path(f"/proc/self/fd/{file.fileno()}")
        except OSError as error:
            raise self._refuse(
                entry, "model_file_missing", f"The model's file cannot be read: {without_paths(str(error))}"
            ) from None
        except InvalidError as error:
            raise self._refuse(entry, error.code, error.detail) from None

    def _refuse(self, entry: Entry, code: str, reason: str) -> ModelRefused:
        """The refusal to raise; it is told once as long as the catalogue knows the model."""
        with self._lock:
            is_new = (entry.digest, code) not in self._told
            self._told.add((entry.digest, code))
        if is_new:
            logger.warning("%s is refused: %s", entry.id, reason)
            self.log.refused(entry, code, reason)
        return ModelRefused(reason, param="model", code=code)
