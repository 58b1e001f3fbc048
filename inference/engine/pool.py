"""The loaded models: loaded when asked for, unloaded where others need their memory."""

from __future__ import annotations

import gc
import logging
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from inference.domain.apportionment import Apportionment
from inference.domain.memory import estimate_memory
from inference.domain.requests import RequestError
from inference.engine.catalogue import Catalogue, Entry
from inference.engine.config import EngineConfig
from inference.engine.llama import LlamaModel
from inference.engine.model_file import ModelFile

logger = logging.getLogger("inference.engine")

_MIB = 1024 * 1024


class ModelTooLarge(RequestError):
    """The model needs more memory than the engine may use, or than is free at the moment."""

    code = "model_too_large"


@dataclass
class _Loaded:
    model: LlamaModel
    memory_bytes: int
    loaded_at: float
    users: int = 0
    used_at: float = field(default_factory=time.monotonic)
    drained: bool = False


class ModelPool:
    """Models in memory, by digest."""

    def __init__(self, config: EngineConfig, catalogue: Catalogue, apportionment: Apportionment) -> None:
        self._config = config
        self._catalogue = catalogue
        self._apportionment = apportionment
        self._lock = threading.RLock()
        self._loaded: dict[str, _Loaded] = {}
        self.loads = self.unloads = 0

    def is_loaded(self, digest: str) -> bool:
        return digest in self._loaded

    @property
    def memory_bytes(self) -> int:
        """What the loaded models are estimated to take."""
        return sum(loaded.memory_bytes for loaded in list(self._loaded.values()))

    def needed(self, file: ModelFile) -> int:
        """The bytes that `file` would take."""
        config = self._config
        context = min(config.context, file.metadata.context_length or config.context)
        return estimate_memory(
            file.metadata,
            file_bytes=file.size_bytes,
            context=context,
            slots=config.slots,
            batch=max(config.batch, context) if file.metadata.pooling else config.batch,
            cache_type=config.cache_type,
        )

    @contextmanager
    def use(self, entry: Entry) -> Iterator[LlamaModel]:
        """The model of `entry`, loaded where it was not, and kept as long as it is in use.

        Raises `ModelRefused`, `ModelTooLarge` or `EngineFailure`. Load only where nothing else is worked on:
        what it takes is nobody's compute.
        """
        with self._lock:
            loaded = self._loaded.get(entry.digest) or self._load(entry)
            loaded.users += 1
        try:
            yield loaded.model
        finally:
            with self._lock:
                loaded.users -= 1
                loaded.used_at = time.monotonic()
                if loaded.drained and not loaded.users:
                    self._unload(entry.digest)

    def drain(self, digest: str) -> bool:
        """Unloads a model, once nobody uses it any more. False where it is not loaded."""
        with self._lock:
            loaded = self._loaded.get(digest)
            if loaded is None:
                return False
            loaded.drained = True
            if not loaded.users:
                self._unload(digest)
            return True

    def keep_to(self, catalogue: Catalogue) -> None:
        """Drains what the catalogue no longer allows."""
        allowed = {entry.digest for entry in catalogue.entries()}
        for digest in [digest for digest in list(self._loaded) if digest not in allowed]:
            self.drain(digest)

    def _load(self, entry: Entry) -> _Loaded:
        needed = self.needed(entry.file)
        self._make_room(entry, needed)
        began = time.monotonic()
        with self._catalogue.verified(entry) as path:
            model = LlamaModel(entry.file, path, config=self._config, pool=self._apportionment)
        loaded = self._loaded[entry.digest] = _Loaded(model, needed, loaded_at=time.time())
        self.loads += 1
        logger.info("loaded %s in %.2f s", entry.id, time.monotonic() - began)
        self._catalogue.log.loaded(entry)
        return loaded

    def _make_room(self, entry: Entry, needed: int) -> None:
        """Unloads idle models, the longest unused first, until `needed` bytes are free."""
        limit = self._config.memory_bytes
        if needed > limit:
            raise ModelTooLarge(
                f"The model '{entry.id}' needs about {needed // _MIB} MiB and the engine may use {limit // _MIB} MiB",
                param="model",
            )
        while self.memory_bytes + needed > limit:
            idle = [digest for digest, loaded in self._loaded.items() if not loaded.users]
            if not idle:
                raise ModelTooLarge(
                    f"There is no room for '{entry.id}' beside the models in use; try again later",
                    param="model",
                    code="engine_memory_full",
                )
            self._unload(min(idle, key=lambda digest: self._loaded[digest].used_at))

    def _unload(self, digest: str) -> None:
        loaded = self._loaded.pop(digest)
        self.unloads += 1
        logger.info("unloading %s", loaded.model.file.id)
        del loaded
        gc.collect()
