from __future__ import annotations

from typing import Any

from rest_framework import serializers

from rest.serializers import StrictSerializer


class ExportInput(StrictSerializer):
    """`kind`, or `kinds` for several in one."""

    kind = serializers.CharField(required=False)
    kinds = serializers.ListField(child=serializers.CharField(), required=False, allow_empty=False, max_length=10)
    month = serializers.CharField()
    format = serializers.CharField()
    customer = serializers.CharField(required=False, allow_null=True)
    status = serializers.CharField(required=False, allow_null=True)
    mail_to = serializers.ListField(child=serializers.EmailField(), required=False, max_length=20)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if ("kind" in attrs) == ("kinds" in attrs):
            raise serializers.ValidationError({"kind": ["Name one kind, or several as kinds"]})
        attrs["kinds"] = attrs.pop("kinds", None) or [attrs.pop("kind")]
        return attrs


class ScheduleInput(StrictSerializer):
    kinds = serializers.ListField(child=serializers.CharField(), allow_empty=False, max_length=10)
    format = serializers.CharField()
    day = serializers.IntegerField(required=False, allow_null=True, default=None)
    mail_to = serializers.ListField(child=serializers.EmailField(), required=False, default=list, max_length=20)
    first_month = serializers.CharField(required=False, allow_null=True)


class ScheduleChange(StrictSerializer):
    kinds = serializers.ListField(child=serializers.CharField(), required=False, allow_empty=False, max_length=10)
    format = serializers.CharField(required=False)
    day = serializers.IntegerField(required=False, allow_null=True)
    mail_to = serializers.ListField(child=serializers.EmailField(), required=False, max_length=20)
    active = serializers.BooleanField(required=False)
