from __future__ import annotations

from typing import Any

from rest_framework import serializers

from inference.models import Model
from rest.serializers import KeyField, StrictSerializer


class ModelInput(StrictSerializer):
    file = serializers.CharField(max_length=255, help_text="the name of a file in TAXIMETER_MODEL_DIR")
    key = KeyField(required=False)


class RecallInput(StrictSerializer):
    reason = serializers.CharField(max_length=1000)


class ModelAnswer(serializers.Serializer):  # type: ignore[type-arg]
    """A model of the catalogue."""

    id = serializers.CharField(help_text="the SHA-256 of its file")
    key = serializers.CharField()
    name = serializers.CharField()
    architecture = serializers.CharField()
    quantization = serializers.CharField()
    parameters = serializers.IntegerField()
    context_length = serializers.IntegerField()
    license = serializers.CharField()
    size_bytes = serializers.IntegerField()
    is_signed = serializers.BooleanField()
    added_by = serializers.CharField()
    added_at = serializers.DateTimeField()
    loaded_at = serializers.DateTimeField(allow_null=True)
    recalled_at = serializers.DateTimeField(allow_null=True)
    recalled_by = serializers.CharField()
    recall_reason = serializers.CharField()


def present_model(model: Model) -> dict[str, Any]:
    return {
        "id": model.digest,
        "key": model.key,
        "name": model.name,
        "architecture": model.architecture,
        "quantization": model.quantization,
        "parameters": model.parameters,
        "context_length": model.context_length,
        "license": model.license,
        "size_bytes": model.size_bytes,
        "is_signed": bool(model.signature),
        "added_by": model.added_by,
        "added_at": model.registered_at,
        "loaded_at": model.loaded_at,
        "recalled_at": model.recalled_at,
        "recalled_by": model.recalled_by,
        "recall_reason": model.recall_reason,
    }


class TaskOfModel(serializers.Serializer):  # type: ignore[type-arg]
    """A task that a model worked on; calls that belong to none are together under a null `task_id`."""

    task_id = serializers.CharField(allow_null=True)
    customer = serializers.CharField(allow_null=True)
    calls = serializers.IntegerField()
    first_at = serializers.DateTimeField()
    last_at = serializers.DateTimeField()
