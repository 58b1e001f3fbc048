"""Shapes of the API answers of plans, prices and migrations."""

from __future__ import annotations

from typing import Any

from rest_framework.serializers import (
    BooleanField,
    CharField,
    DictField,
    IntegerField,
    ListField,
    Serializer,
)

from billing.customers.answers import _maybe
from rest.serializers import DecimalField, InstantField


class Price(Serializer[Any]):
    id = CharField()
    key = CharField()
    name = CharField()
    kind = CharField()
    meter = _maybe(CharField)
    filter = DictField()
    bill = CharField()
    prorate = BooleanField()
    included = DecimalField()
    minimum = _maybe(DecimalField)
    maximum = _maybe(DecimalField)
    pricing_unit = _maybe(CharField)
    unit_rate = _maybe(DecimalField)
    tax_rate = _maybe(DecimalField)
    model = DictField()
    unprintable = ListField(child=CharField())


class PlanVersion(Serializer[Any]):
    id = CharField()
    version = IntegerField()
    currency = CharField()
    interval = CharField()
    interval_count = IntegerField()
    trial_days = IntegerField()
    trial_once_per_customer = BooleanField()
    minimum_commitment = DecimalField()
    invoice_threshold = _maybe(DecimalField)
    settlement_hours = IntegerField()
    prices = Price(many=True)
    created_at = InstantField()


class Plan(PlanVersion):
    """A plan as its newest version has it."""

    key = CharField()
    name = CharField()
    add_on = BooleanField()


class PlanWithVersions(Plan):
    versions = PlanVersion(many=True)


class Move(Serializer[Any]):
    subscription = CharField()
    customer = CharField()
    plan_version = IntegerField()
    current = DecimalField()
    new = DecimalField()
    difference = DecimalField()
    currency = CharField()


class Migration(Serializer[Any]):
    to_version = IntegerField()
    when = CharField()
    preview = BooleanField()
    moved = IntegerField()
    subscriptions = Move(many=True)
