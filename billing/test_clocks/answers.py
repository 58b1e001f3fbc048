"""Shapes of the API answers of test clocks."""

from __future__ import annotations

from typing import Any

from rest_framework.serializers import (
    CharField,
    DictField,
    IntegerField,
    ListField,
    Serializer,
)

from rest.serializers import InstantField


class TestClock(Serializer[Any]):
    __test__ = False

    id = CharField()
    now = InstantField()
    problems = ListField(child=DictField())
    created_at = InstantField()


class AdvancedTestClock(TestClock):
    invoices = IntegerField()
