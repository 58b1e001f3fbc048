"""What requests to collecting may say."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from collection.models.accounts import ChargeAt, LostDispute, ProviderName
from rest.serializers import CurrencyField, DecimalField, InstantField, StrictSerializer

_MOST_DAYS = 20


def _days(low: int, high: int) -> serializers.ListField:
    return serializers.ListField(
        child=serializers.IntegerField(min_value=low, max_value=high), max_length=_MOST_DAYS, required=False
    )


class PolicyInput(StrictSerializer):
    is_active = serializers.BooleanField(required=False)
    provider = serializers.ChoiceField(choices=ProviderName.values, required=False)
    charge_at = serializers.ChoiceField(choices=ChargeAt.values, required=False)
    reminder_days = _days(-60, 365)
    retry_days = _days(1, 60)
    suspend_after_days = serializers.IntegerField(min_value=0, max_value=365, required=False, allow_null=True)
    give_up_after_days = serializers.IntegerField(min_value=0, max_value=1095, required=False, allow_null=True)
    writes_off = serializers.BooleanField(required=False)
    lost_dispute = serializers.ChoiceField(choices=LostDispute.values, required=False)

    def validate_reminder_days(self, days: list[int]) -> list[int]:
        return sorted(set(days))


class StripeAccountInput(StrictSerializer):
    """Secrets are taken and never answered. `is_another_account`: customers and cards of the last one are forgotten."""

    api_key = serializers.CharField(max_length=255, write_only=True)
    webhook_secret = serializers.CharField(max_length=255, required=False, write_only=True)
    is_another_account = serializers.BooleanField(required=False, default=False, write_only=True)


class WebhookSecretInput(StrictSerializer):
    webhook_secret = serializers.CharField(max_length=255, write_only=True)


class PaymentDetailsInput(StrictSerializer):
    """A `provider` of null: the organization's."""

    provider = serializers.ChoiceField(choices=ProviderName.values, required=False, allow_null=True)
    is_invoiced_at_stripe = serializers.BooleanField(required=False)

    def validate_provider(self, value: str | None) -> str:
        return value or ""


class ReturnInput(StrictSerializer):
    """`return_url` is where the provider's page leads when it is done."""

    return_url = serializers.URLField(max_length=2000, required=False)


class BankTransferInput(StrictSerializer):
    """`reference` is the bank's, and comes once. Without `invoice` it is read from `text`."""

    many_lines = ("text",)

    reference = serializers.CharField(max_length=200)
    amount = DecimalField()
    currency = CurrencyField()
    received_at = InstantField()
    text = serializers.CharField(max_length=4000, required=False, allow_blank=True)
    invoice = serializers.CharField(max_length=40, required=False)

    def validate_amount(self, amount: Any) -> Any:
        if amount <= 0:
            raise serializers.ValidationError("A transfer is of more than nothing", code="not_positive")
        return amount


class MatchInput(StrictSerializer):
    invoice = serializers.CharField(max_length=40)


class StripeMeterInput(StrictSerializer):
    """`since` defaults to now."""

    meter = serializers.CharField(max_length=128)
    event_name = serializers.CharField(max_length=100)
    since = InstantField(required=False)
