from __future__ import annotations

from datetime import datetime
from typing import Any

from django.conf import settings
from rest_framework import serializers

from agents.facade import RateTable
from inference.models import Model
from kernel.money import decimal_from
from rest.serializers import DecimalField, KeyField, StrictSerializer

_COST_FIELDS = ("currency", "compute_second", "input_per_million", "output_per_million", "effective_from")


class ModelInput(StrictSerializer):
    file = serializers.CharField(max_length=255, help_text="the name of a file in TAXIMETER_MODEL_DIR")
    key = KeyField(required=False)


class RecallInput(StrictSerializer):
    many_lines = ("reason",)

    reason = serializers.CharField(max_length=1000)


class ModelCost(serializers.Serializer[Any]):
    """What calls of a model cost now; prices that do not apply are null."""

    currency = serializers.CharField()
    compute_second = DecimalField(allow_null=True)
    input_per_million = DecimalField(allow_null=True)
    output_per_million = DecimalField(allow_null=True)
    effective_from = serializers.DateTimeField(allow_null=True, help_text="null for the rate of the settings")


class ModelAnswer(serializers.Serializer[Any]):
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
    cost = ModelCost()


def present_model(model: Model, *, rates: RateTable, now: datetime) -> dict[str, Any]:
    """A model as an organization sees it: what it costs is dated, and may be by a rate of its own."""
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
        "cost": _cost(model, rates, now),
    }


def _cost(model: Model, rates: RateTable, now: datetime) -> dict[str, Any]:
    hardware = settings.ENGINE_OPTIONS["hardware"]
    rate = rates.rate_at(now, provider="taximeter", model=model.key, hardware=hardware)
    if rate is None:
        fallback = {"currency": "USD", "compute_second": decimal_from(settings.COMPUTE_SECOND_COST)}
        return {**dict.fromkeys(_COST_FIELDS), **fallback}
    return {name: getattr(rate, name) for name in _COST_FIELDS}


class TaskOfModel(serializers.Serializer[Any]):
    """A task that a model worked on; calls that belong to none are together under a null `task_id`."""

    task_id = serializers.CharField(allow_null=True)
    customer = serializers.CharField(allow_null=True)
    calls = serializers.IntegerField()
    first_at = serializers.DateTimeField()
    last_at = serializers.DateTimeField()
