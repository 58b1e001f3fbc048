"""The shapes of answers for the API's description; `present` fills them."""

from __future__ import annotations

from typing import Any

from rest_framework.serializers import BooleanField, CharField, DictField, IntegerField, ListField, Serializer

from rest.serializers import AnyField, DecimalField, InstantField


class ThresholdAnswer(Serializer[Any]):
    percent = CharField()
    actions = ListField(child=CharField())
    recipients = ListField(child=CharField())


class BudgetStateAnswer(Serializer[Any]):
    """How far it has come in its period: `used` as of `evaluated_at`, `held` by reservations. Without a period (a
    customer without a subscription) nowhere."""

    period_start = InstantField(allow_null=True)
    period_end = InstantField(allow_null=True)
    used = DecimalField()
    held = DecimalField()
    remaining = DecimalField()
    percent = DecimalField()
    stops_at = DecimalField(allow_null=True)
    is_stopped = BooleanField()
    evaluated_at = InstantField(allow_null=True)


class BudgetAnswer(Serializer[Any]):
    id = CharField()
    key = CharField()
    name = CharField()
    scope = CharField()
    customer = CharField(allow_null=True)
    agent = CharField(allow_null=True)
    plan = CharField(allow_null=True)
    measure = DictField(child=AnyField())
    amount = DecimalField()
    currency = CharField(allow_null=True)
    period = CharField()
    timezone = CharField()
    thresholds = ThresholdAnswer(many=True)
    state = BudgetStateAnswer()
    created_at = InstantField()


class CrossingAnswer(Serializer[Any]):
    """A threshold that was reached; `amount` is what the budget was then."""

    budget = CharField()
    key = CharField()
    name = CharField()
    scope = CharField()
    customer = CharField(allow_null=True)
    agent = CharField(allow_null=True)
    percent = DecimalField()
    amount = DecimalField()
    used = DecimalField()
    currency = CharField(allow_null=True)
    meter = CharField(allow_null=True)
    period_start = InstantField()
    period_end = InstantField()
    actions = ListField(child=CharField())
    crossed_at = InstantField()


class FeatureAnswer(Serializer[Any]):
    id = CharField()
    key = CharField()
    name = CharField()
    meter = CharField(allow_null=True)
    created_at = InstantField()


class EntitlementAnswer(Serializer[Any]):
    feature = CharField()
    meter = CharField(allow_null=True)
    limit = DecimalField(allow_null=True)
    hard = BooleanField()
    period = CharField()


class EntitlementsAnswer(Serializer[Any]):
    plan = CharField()
    version = IntegerField()
    entitlements = EntitlementAnswer(many=True)


class ReservedAnswer(Serializer[Any]):
    id = CharField()
    expires_at = InstantField()


class VerdictAnswer(Serializer[Any]):
    """`reason` is a stable code where it is not allowed. `remaining` is how much of the meter is left afterwards,
    `remaining_amount` how much money in `currency`; null where nothing limits it."""

    allowed = BooleanField()
    reason = CharField(allow_null=True)
    detail = CharField(allow_null=True)
    budget = CharField(allow_null=True)
    remaining = DecimalField(allow_null=True)
    remaining_amount = DecimalField(allow_null=True)
    currency = CharField(allow_null=True)
    warnings = ListField(child=CharField())
    reservation = ReservedAnswer(allow_null=True)


class ReservationAnswer(Serializer[Any]):
    """`held`, then `released`, `expired`, or `committed` and, once its usage is counted, `settled`."""

    id = CharField()
    customer = CharField()
    agent = CharField(allow_null=True)
    feature = CharField(allow_null=True)
    meter = CharField(allow_null=True)
    quantity = DecimalField(allow_null=True)
    state = CharField()
    created_at = InstantField()
    expires_at = InstantField()
    ended_at = InstantField(allow_null=True)
