from __future__ import annotations

from typing import Any

from rest_framework import serializers

from metering.contracts import EventView, UsageRow
from metering.domain.meters import AGGREGATIONS
from metering.models import Meter
from rest.serializers import AnyField, DecimalField, InstantField, KeyField, Shape, StrictSerializer


class DefinitionInput(StrictSerializer):
    event_type = serializers.CharField(max_length=255)
    aggregation = serializers.ChoiceField(choices=AGGREGATIONS)
    value = serializers.CharField(required=False, allow_null=True)
    filters = serializers.ListField(child=serializers.DictField(), required=False)
    dimensions = serializers.DictField(child=serializers.CharField(), required=False)


class MeterInput(DefinitionInput):
    key = KeyField()
    name = serializers.CharField(max_length=200, required=False)
    unit = serializers.CharField(max_length=50, required=False, allow_blank=True, default="")


class AmendInput(StrictSerializer):
    many_lines = ("reason",)
    as_sent = ("source", "id", "event")

    source = serializers.CharField(max_length=1024)  # type: ignore[assignment]
    id = serializers.CharField(max_length=1024)
    reason = serializers.CharField(max_length=1000)
    event = serializers.DictField()


class IngestAnswer(serializers.Serializer[Any]):
    """Documentation of the events door's answer."""

    accepted = serializers.IntegerField()
    duplicates = serializers.IntegerField()
    rejected = serializers.ListField(child=serializers.DictField())
    quarantined = serializers.ListField(child=serializers.DictField(), required=False)
    notices = serializers.ListField(child=serializers.DictField(), required=False)


class MeterAnswer(serializers.Serializer[Any]):
    """What `present_meter` gives."""

    id = serializers.CharField()
    key = serializers.CharField()
    name = serializers.CharField()
    unit = serializers.CharField()
    version = serializers.IntegerField()
    event_type = serializers.CharField()
    aggregation = serializers.CharField()
    value = serializers.CharField(allow_null=True)
    filters = serializers.ListField(child=serializers.DictField())
    dimensions = serializers.DictField(child=serializers.CharField())
    created_at = InstantField()


class MeterWithProjection(MeterAnswer):
    projection = serializers.DictField()


class EventAnswer(Shape):
    """What `present_event` gives."""

    specversion = serializers.CharField()
    id = serializers.CharField()
    source = serializers.CharField()
    type = serializers.CharField()
    subject = serializers.CharField(allow_null=True)
    time = InstantField()
    received_at = InstantField()
    data = AnyField()
    voided = serializers.BooleanField()
    sent_by = serializers.CharField(allow_null=True)
    subscription = serializers.CharField(allow_null=True)


class UsageRowAnswer(serializers.Serializer[Any]):
    """What `present_usage` gives; `customer` and `group` are there where the question asked by them."""

    start = InstantField()
    end = InstantField()
    customer = serializers.CharField(required=False, allow_null=True)
    group = serializers.DictField(child=AnyField(), required=False)
    quantity = DecimalField(allow_null=True)


class UsageAnswer(serializers.Serializer[Any]):
    def get_fields(self) -> dict[str, Any]:
        """`from` is no name a class can have."""
        return {
            "meter": serializers.CharField(),
            "from": InstantField(),
            "to": InstantField(),
            "window": serializers.CharField(),
            "timezone": serializers.CharField(),
            "data": UsageRowAnswer(many=True),
        }


def present_meter(meter: Meter) -> dict[str, Any]:
    version = max(meter.versions.all(), key=lambda v: v.number)
    return {
        "id": meter.id,
        "key": meter.key,
        "name": meter.name,
        "unit": meter.unit,
        "version": version.number,
        **version.definition,
        "created_at": meter.created_at,
    }


def present_event(event: EventView) -> dict[str, Any]:
    return {
        "specversion": "1.0",
        "id": event.id,
        "source": event.source,
        "type": event.type,
        "subject": event.customer,
        "time": event.time,
        "received_at": event.received_at,
        "data": event.data,
        "voided": event.voided,
        "sent_by": event.sent_by,
        "subscription": event.subscription,
    }


def present_usage(row: UsageRow, *, grouped: bool, by_customer: bool) -> dict[str, Any]:
    shown: dict[str, Any] = {"start": row.start, "end": row.end}
    if by_customer:
        shown["customer"] = row.customer
    if grouped:
        shown["group"] = row.group
    return shown | {"quantity": row.quantity}
