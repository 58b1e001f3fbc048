"""Shapes of the API answers of subscriptions."""

from __future__ import annotations

from rest_framework.serializers import (
    BooleanField,
    CharField,
    IntegerField,
    ListField,
    Serializer,
)

from billing.customers.answers import _maybe
from rest.serializers import InstantField


class SeatChange(Serializer):  # type: ignore[type-arg]
    seats = IntegerField()
    starts_at = InstantField()
    takes_effect = BooleanField()


class PlanChange(Serializer):  # type: ignore[type-arg]
    plan = CharField()
    plan_version = IntegerField()
    starts_at = InstantField()
    takes_effect = BooleanField()


class DroppedChange(Serializer):  # type: ignore[type-arg]
    """A change to come that this one dropped: another plan, or another number of seats."""

    plan = _maybe(CharField)
    plan_version = _maybe(IntegerField)
    seats = _maybe(IntegerField)
    starts_at = InstantField()


class Pause(Serializer):  # type: ignore[type-arg]
    starts_at = InstantField()
    ends_at = _maybe(InstantField)


class AddOn(Serializer):  # type: ignore[type-arg]
    id = CharField()
    plan = CharField()
    quantity = IntegerField()
    starts_at = InstantField()
    ends_at = _maybe(InstantField)


class Subscription(Serializer):  # type: ignore[type-arg]
    id = CharField()
    key = _maybe(CharField)
    customer = CharField()
    status = CharField()
    usage = CharField()
    plan = CharField()
    plan_version = IntegerField()
    overridden_prices = ListField(child=CharField())
    starts_at = InstantField()
    ends_at = _maybe(InstantField)
    anchor = CharField()
    trial_days = IntegerField()
    trial_ends_at = _maybe(InstantField)
    continued_by = _maybe(CharField)
    seats = IntegerField()
    seat_changes = SeatChange(many=True)
    plan_changes = PlanChange(many=True)
    dropped_changes = DroppedChange(many=True)
    pauses = Pause(many=True)
    add_ons = AddOn(many=True)
    created_at = InstantField()


class UnassignedUsage(Serializer):  # type: ignore[type-arg]
    subject = _maybe(CharField)
    subscription = _maybe(CharField)
    reason = CharField()
    type = CharField()
    events = IntegerField()
    first_at = InstantField()
    last_at = InstantField()


class OverlappingPrice(Serializer):  # type: ignore[type-arg]
    subscription = CharField()
    plan = CharField()
    price = CharField()


class UsageOverlap(Serializer):  # type: ignore[type-arg]
    customer = CharField()
    meter = _maybe(CharField)
    starts_at = InstantField()
    ends_at = _maybe(InstantField)
    first = OverlappingPrice()
    second = OverlappingPrice()
