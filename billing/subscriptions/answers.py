"""Shapes of the API answers of subscriptions."""

from __future__ import annotations

from typing import Any

from rest_framework.serializers import (
    BooleanField,
    CharField,
    IntegerField,
    ListField,
    Serializer,
)

from billing.customers.answers import _maybe
from rest.serializers import InstantField


class SeatChange(Serializer[Any]):
    seats = IntegerField()
    starts_at = InstantField()
    takes_effect = BooleanField()


class PlanChange(Serializer[Any]):
    plan = CharField()
    plan_version = IntegerField()
    starts_at = InstantField()
    takes_effect = BooleanField()


class DroppedChange(Serializer[Any]):
    """A change to come that this one dropped: another plan, or another number of seats."""

    plan = _maybe(CharField)
    plan_version = _maybe(IntegerField)
    seats = _maybe(IntegerField)
    starts_at = InstantField()


class Pause(Serializer[Any]):
    starts_at = InstantField()
    ends_at = _maybe(InstantField)


class AddOn(Serializer[Any]):
    id = CharField()
    plan = CharField()
    quantity = IntegerField()
    starts_at = InstantField()
    ends_at = _maybe(InstantField)


class Subscription(Serializer[Any]):
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


class UnassignedUsage(Serializer[Any]):
    subject = _maybe(CharField)
    subscription = _maybe(CharField)
    reason = CharField()
    type = CharField()
    events = IntegerField()
    first_at = InstantField()
    last_at = InstantField()


class OverlappingPrice(Serializer[Any]):
    subscription = CharField()
    plan = CharField()
    price = CharField()


class UsageOverlap(Serializer[Any]):
    customer = CharField()
    meter = _maybe(CharField)
    starts_at = InstantField()
    ends_at = _maybe(InstantField)
    first = OverlappingPrice()
    second = OverlappingPrice()
