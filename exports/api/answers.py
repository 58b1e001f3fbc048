"""What the API answers about exports."""

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

from rest.serializers import InstantField


class ExportFile(Serializer[Any]):
    name = CharField()
    bytes = IntegerField()
    sha256 = CharField()
    url = CharField()


class Export(Serializer[Any]):
    """`status` is queued, running, succeeded, failed or expired; `kind` is null where there are several."""

    id = CharField()
    kind = CharField(allow_null=True)
    kinds = ListField(child=CharField())
    month = CharField()
    format = CharField()
    filters = DictField(child=CharField(allow_null=True))
    status = CharField()
    rows = IntegerField()
    total = IntegerField(allow_null=True)
    failure = DictField(child=CharField(), allow_null=True)
    download = CharField(allow_null=True)
    files = ExportFile(many=True)
    tables = ListField(child=DictField())
    schedule = CharField(allow_null=True)
    created_at = InstantField()
    finished_at = InstantField(allow_null=True)
    delivered_at = InstantField(allow_null=True)
    expires_at = InstantField(allow_null=True)


class ExportSchedule(Serializer[Any]):
    id = CharField()
    kinds = ListField(child=CharField())
    format = CharField()
    day = IntegerField(allow_null=True)
    mail_to = ListField(child=CharField())
    first_month = CharField()
    active = BooleanField()
    created_at = InstantField()
