from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from rest_framework import serializers

from billing.documents.languages import LANGUAGES, is_language
from billing.documents.profile_fields import FIELDS
from rest.serializers import (
    AnyField,
    CurrencyField,
    DecimalField,
    InstantField,
    KeyField,
    StrictSerializer,
    TimezoneField,
)


class LanguageField(serializers.CharField):
    """The tag of a language that documents can be written in, such as `de` or `de-AT`."""

    default_error_messages = {"language": f"There are words for {', '.join(LANGUAGES)}, such as de or de-AT"}

    def to_internal_value(self, data: Any) -> str:
        tag = str(super().to_internal_value(data))
        if tag and not (len(tag) <= 12 and is_language(tag)):
            self.fail("language")
        return tag


class CustomerInput(StrictSerializer):
    key = KeyField()
    name = serializers.CharField(max_length=200, required=False)
    email = serializers.EmailField(required=False, allow_blank=True)
    currency = CurrencyField(required=False)
    timezone = TimezoneField(required=False)
    address = serializers.JSONField(required=False)
    tax_rate = DecimalField(required=False, low=Decimal(0), high=Decimal(1))
    tax_id = serializers.CharField(max_length=64, required=False, allow_blank=True)
    tax_treatment = serializers.ChoiceField(choices=["standard", "exempt", "reverse_charge"], required=False)
    locale = LanguageField(required=False, allow_blank=True)
    metadata = serializers.DictField(required=False)
    test_clock = serializers.CharField(required=False, allow_null=True)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        for name in ("address", "metadata"):
            if name in attrs:
                attrs[name] = storable(attrs[name], name)
        return attrs


class PriceInput(StrictSerializer):
    key = KeyField()
    name = serializers.CharField(max_length=200, required=False)
    kind = serializers.CharField()
    meter = serializers.CharField(required=False, allow_null=True)
    filter = serializers.DictField(required=False, allow_null=True)
    bill = serializers.ChoiceField(choices=["in_advance", "in_arrears"], required=False)
    prorate = serializers.BooleanField(required=False)
    included = AnyField(required=False, allow_null=True)
    minimum = AnyField(required=False, allow_null=True)
    maximum = AnyField(required=False, allow_null=True)
    pricing_unit = serializers.CharField(required=False, allow_null=True)
    tax_rate = DecimalField(required=False, allow_null=True, low=Decimal(0), high=Decimal(1))
    model = AnyField()


class PriceOverrideInput(StrictSerializer):
    """What is other about one of a plan's prices; what is left out is as in the plan."""

    key = serializers.CharField()
    name = serializers.CharField(max_length=200, required=False)
    included = AnyField(required=False, allow_null=True)
    minimum = AnyField(required=False, allow_null=True)
    maximum = AnyField(required=False, allow_null=True)
    model = AnyField(required=False)


class OverridesInput(StrictSerializer):
    prices = serializers.ListField(child=PriceOverrideInput(), allow_empty=False)
    when = serializers.ChoiceField(choices=["now", "period_end"], default="now")


class MigrationInput(StrictSerializer):
    to_version = serializers.IntegerField(min_value=1, required=False)
    when = serializers.ChoiceField(choices=["now", "period_end"], default="period_end")
    preview = serializers.BooleanField(default=False)


class PlanVersionInput(StrictSerializer):
    currency = CurrencyField(required=False)
    minimum_commitment = DecimalField(required=False, low=Decimal(0))
    invoice_threshold = DecimalField(required=False, allow_null=True, low=Decimal("0.01"))
    settlement_hours = serializers.IntegerField(min_value=0, max_value=87_600, required=False)
    prices = serializers.ListField(child=PriceInput(), allow_empty=False)


class PlanInput(StrictSerializer):
    key = KeyField()
    name = serializers.CharField(max_length=200, required=False)
    currency = CurrencyField()
    interval = serializers.ChoiceField(choices=["day", "week", "month", "quarter", "year"], default="month")
    interval_count = serializers.IntegerField(min_value=1, max_value=100, default=1)
    trial_days = serializers.IntegerField(min_value=0, max_value=3650, default=0)
    add_on = serializers.BooleanField(default=False)
    minimum_commitment = DecimalField(required=False, low=Decimal(0))
    invoice_threshold = DecimalField(required=False, allow_null=True, low=Decimal("0.01"))
    settlement_hours = serializers.IntegerField(min_value=0, max_value=87_600, required=False)
    prices = serializers.ListField(child=PriceInput(), allow_empty=False)


class SubscriptionInput(StrictSerializer):
    customer = serializers.CharField()
    plan = serializers.CharField()
    starts_at = InstantField(required=False)
    anchor = serializers.ChoiceField(choices=["calendar", "anniversary"], default="calendar")
    seats = serializers.IntegerField(min_value=0, max_value=10_000_000, default=0)
    trial_days = serializers.IntegerField(min_value=0, max_value=3650, required=False)
    coupon = serializers.CharField(required=False)


class ChangeInput(StrictSerializer):
    plan = serializers.CharField(required=False)
    seats = serializers.IntegerField(min_value=0, max_value=10_000_000, required=False)
    when = serializers.ChoiceField(choices=["now", "period_end"], default="now")

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if "plan" not in attrs and "seats" not in attrs:
            raise serializers.ValidationError({"plan": "Say which plan or how many seats"})
        return attrs


class AddOnInput(StrictSerializer):
    plan = serializers.CharField()
    quantity = serializers.IntegerField(min_value=1, max_value=10_000_000, default=1)


class CancelInput(StrictSerializer):
    when = serializers.ChoiceField(choices=["now", "period_end"], default="period_end")


class BillingPolicyInput(StrictSerializer):
    grace_hours = serializers.IntegerField(min_value=0, max_value=1440, required=False)
    payment_days = serializers.IntegerField(min_value=0, max_value=365, required=False)
    late_usage = serializers.ChoiceField(choices=["adjust", "write_off"], required=False)
    zero_amount = serializers.ChoiceField(choices=["issue", "skip"], required=False)
    issue = serializers.ChoiceField(choices=["month_close", "when_due"], required=False)


class TestClockInput(StrictSerializer):
    now = InstantField()


class AdvanceInput(StrictSerializer):
    to = InstantField()


class RunInput(StrictSerializer):
    month = serializers.CharField(max_length=7)


def storable(value: Any, name: str) -> Any:
    """A JSON value that the database can keep: exact decimals become strings, U+0000 is refused."""
    if isinstance(value, Mapping):
        return {storable(str(key), name): storable(item, name) for key, item in value.items()}
    if isinstance(value, list):
        return [storable(item, name) for item in value]
    if isinstance(value, str) and "\x00" in value:
        raise serializers.ValidationError({name: "Text cannot hold the character U+0000"})
    return str(value) if isinstance(value, Decimal) else value


class SellerProfileInput(StrictSerializer):
    """Any of a profile's texts; the service says what each may be."""

    def get_fields(self) -> dict[str, Any]:
        return {name: serializers.CharField(required=False, allow_blank=True, max_length=1000) for name in FIELDS}
