from __future__ import annotations

from collections.abc import Iterator

import pytest

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
