from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.inference.door import Door, door_at, point_door_at
from tests.inference.engine_process import MODELS, Engine, start_engine


@pytest.fixture(scope="session")
def engine() -> Iterator[Engine]:
    """An engine with the tiny transformer."""
    engine = start_engine(MODELS / "tiny-llama.gguf")
    yield engine
    engine.stop()


@pytest.fixture(scope="session")
def language_engine() -> Iterator[Engine]:
    """An engine with the default model, which knows some English and takes its time."""
    engine = start_engine(None)
    yield engine
    engine.stop()


@pytest.fixture
def at_engine(settings, engine) -> Iterator[Engine]:
    yield from point_door_at(settings, engine)


@pytest.fixture
def at_language_engine(settings, language_engine) -> Iterator[Engine]:
    yield from point_door_at(settings, language_engine)


@pytest.fixture
def door(at_engine, live_server) -> Door:
    return door_at(live_server.url, at_engine.model)


@pytest.fixture
def language_door(at_language_engine, live_server) -> Door:
    return door_at(live_server.url, at_language_engine.model)
