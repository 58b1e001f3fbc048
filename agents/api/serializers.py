from __future__ import annotations

from decimal import Decimal

from rest_framework import serializers

from agents.services.outcomes import SOURCES
from metering.facade import OUTCOMES
from rest.serializers import AnyField, CurrencyField, DecimalField, InstantField, KeyField, StrictSerializer


class AgentInput(StrictSerializer):
    many_lines = ("description",)

    key = KeyField()
    name = serializers.CharField(max_length=200, required=False)
    description = serializers.CharField(max_length=2000, required=False, allow_blank=True, default="")
    version = serializers.CharField(max_length=64, required=False, default="1")
    definition = AnyField(required=False)


class AgentVersionInput(StrictSerializer):
    version = serializers.CharField(max_length=64)
    definition = AnyField(required=False)


class TaskInput(StrictSerializer):
    as_sent = ("input",)

    agent = serializers.CharField(max_length=200)
    customer = serializers.CharField(max_length=255)
    task_id = serializers.CharField(max_length=200, required=False)
    input = AnyField(required=False)


class OutcomeInput(StrictSerializer):
    many_lines = ("reason",)

    outcome = serializers.ChoiceField(choices=OUTCOMES)
    source = serializers.ChoiceField(choices=SOURCES, required=False, default="person")  # type: ignore[assignment]
    reason = serializers.CharField(max_length=1000, required=False, allow_blank=True, default="")


class DisputeInput(StrictSerializer):
    many_lines = ("reason",)

    outcome = serializers.ChoiceField(choices=OUTCOMES)
    source = serializers.ChoiceField(choices=SOURCES, required=False, default="customer")  # type: ignore[assignment]
    reason = serializers.CharField(max_length=1000)


class CostRateInput(StrictSerializer):
    provider = serializers.CharField(max_length=128, required=False, default="")
    model = serializers.CharField(max_length=255, required=False, default="")
    hardware = serializers.CharField(max_length=128, required=False, default="")
    currency = CurrencyField(required=False, default="USD")
    input_per_million = DecimalField(low=Decimal(0), required=False, allow_null=True)
    cached_input_per_million = DecimalField(low=Decimal(0), required=False, allow_null=True)
    cache_write_per_million = DecimalField(low=Decimal(0), required=False, allow_null=True)
    output_per_million = DecimalField(low=Decimal(0), required=False, allow_null=True)
    compute_second = DecimalField(low=Decimal(0), required=False, allow_null=True)
    effective_from = InstantField()
