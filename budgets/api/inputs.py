"""What the API takes."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

from rest_framework import serializers

from budgets.contracts import DEFAULT_LIFETIME, LONGEST_LIFETIME, MOST_EVENTS
from budgets.models import PeriodKind, Scope
from rest.serializers import AnyField, CurrencyField, DecimalField, KeyField, StrictSerializer, TimezoneField

_ZERO = Decimal(0)
_LONGEST = int(LONGEST_LIFETIME / timedelta(seconds=1))
_DEFAULT = int(DEFAULT_LIFETIME / timedelta(seconds=1))


class BudgetInput(StrictSerializer):
    """`measure` is `{"meter", "filter"?}` or `{"money": "spend" | "cost"}`; thresholds are `{"percent", "actions",
    "recipients"?}`, actions of `mail`, `webhook`, `stop`."""

    key = KeyField()
    name = serializers.CharField(max_length=200, required=False)
    scope = serializers.ChoiceField(Scope.values, required=False)
    customer = serializers.CharField(required=False, allow_null=True)
    agent = serializers.CharField(max_length=255, required=False, allow_null=True)
    plan = serializers.CharField(required=False, allow_null=True)
    measure = serializers.DictField(child=AnyField())
    amount = DecimalField()
    currency = CurrencyField(required=False, allow_null=True)
    period = serializers.ChoiceField(PeriodKind.values)
    timezone = TimezoneField(required=False)
    thresholds = serializers.ListField(child=AnyField())


class BudgetChange(StrictSerializer):
    name = serializers.CharField(max_length=200, required=False)
    amount = DecimalField(required=False)
    thresholds = serializers.ListField(child=AnyField(), required=False)


class FeatureInput(StrictSerializer):
    key = KeyField()
    name = serializers.CharField(max_length=200, required=False)
    meter = serializers.CharField(required=False, allow_null=True)


class FeatureChange(StrictSerializer):
    name = serializers.CharField(max_length=200)


class EntitlementInput(StrictSerializer):
    """Without a `limit`, the feature is without end; a limit that is not `hard` only warns."""

    feature = serializers.CharField()
    limit = DecimalField(low=_ZERO, required=False, allow_null=True)
    hard = serializers.BooleanField(required=False, default=True)
    period = serializers.ChoiceField(PeriodKind.values, required=False)


class EntitlementsInput(StrictSerializer):
    entitlements = EntitlementInput(many=True)


class CheckInput(StrictSerializer):
    """May this be done? `feature` or `meter` is what is used, `quantity` how much of it; with neither, no budget that
    concerns the customer and the agent may be used up. `amount` is what the customer is charged for it at most, `cost`
    what it costs the vendor, `dimensions` what is known of the usage to come.
    """

    as_sent = ("customer", "agent", "dimensions")

    #: A customer's own key may leave out whose it is.
    customer = serializers.CharField(required=False)
    feature = serializers.CharField(required=False, allow_null=True)
    meter = serializers.CharField(required=False, allow_null=True)
    quantity = DecimalField(low=_ZERO, required=False)
    agent = serializers.CharField(max_length=255, required=False, allow_null=True)
    amount = DecimalField(low=_ZERO, required=False, allow_null=True)
    cost = DecimalField(low=_ZERO, required=False, allow_null=True)
    dimensions = serializers.DictField(child=serializers.CharField(allow_blank=True), required=False)
    reserve = serializers.BooleanField(required=False)
    lifetime_seconds = serializers.IntegerField(min_value=1, max_value=_LONGEST, required=False, default=_DEFAULT)


class EventNameInput(StrictSerializer):
    as_sent = ("source", "id")

    source = serializers.CharField(max_length=255)  # type: ignore[assignment]
    id = serializers.CharField(max_length=255)


class CommitInput(StrictSerializer):
    """What was used in fact, and the events that say so, where they are not in the log yet."""

    quantity = DecimalField(low=_ZERO, required=False, allow_null=True)
    amount = DecimalField(low=_ZERO, required=False, allow_null=True)
    cost = DecimalField(low=_ZERO, required=False, allow_null=True)
    events = serializers.ListField(child=EventNameInput(), max_length=MOST_EVENTS, required=False)
