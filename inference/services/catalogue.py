from __future__ import annotations

from datetime import datetime

from inference.engine.model_file import ModelFile
from inference.models import Model


def register_model(*, file: ModelFile, now: datetime) -> Model:
    """Enter a model file that is about to be loaded; the same bytes are the same entry, wherever they lie."""
    about = file.metadata
    described = {
        "key": file.id,
        "name": about.name,
        "architecture": about.architecture,
        "quantization": about.quantization,
        "parameters": about.parameters,
        "context_length": about.context_length,
        "license": about.license,
        "size_bytes": file.size_bytes,
        "path": str(file.path),
        "loaded_at": now,
    }
    model, _ = Model.objects.update_or_create(
        digest=file.digest, defaults=described, create_defaults={**described, "registered_at": now}
    )
    return model
