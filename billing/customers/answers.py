"""Shapes of the API answers of customers, seller profiles and billing policy."""

from __future__ import annotations

from typing import Any

from rest_framework.serializers import (
    CharField,
    DictField,
    IntegerField,
    JSONField,
    ListField,
    Serializer,
)

from rest.serializers import DecimalField, InstantField


def _maybe(field: type[Any], **options: Any) -> Any:
    return field(allow_null=True, **options)


class Customer(Serializer[Any]):
    id = CharField()
    key = CharField()
    name = CharField()
    email = CharField()
    currency = CharField()
    timezone = CharField()
    address = JSONField()
    tax_rate = DecimalField()
    tax_id = CharField()
    tax_treatment = CharField()
    locale = CharField()
    metadata = DictField()
    test_clock = _maybe(CharField)
    created_at = InstantField()
    anonymized_at = _maybe(InstantField)
    erased_at = _maybe(InstantField)
    merged_into = _maybe(CharField)
    unprintable = ListField(child=CharField())


class SellerProfile(Serializer[Any]):
    """What stands on documents; `version` is 0 where nothing was ever said. `missing` is what e-invoices need yet."""

    version = IntegerField()
    legal_name = CharField()
    line1 = CharField()
    line2 = CharField()
    postal_code = CharField()
    city = CharField()
    region = CharField()
    country = CharField()
    vat_id = CharField()
    tax_number = CharField()
    registration = CharField()
    email = CharField()
    phone = CharField()
    website = CharField()
    bank_name = CharField()
    iban = CharField()
    bic = CharField()
    payment_url = CharField()
    color = CharField()
    footer = CharField()
    locale = CharField()
    logo = _maybe(CharField)
    missing = ListField(child=CharField())
    unprintable = ListField(child=CharField())


class BillingPolicy(Serializer[Any]):
    grace_hours = IntegerField()
    payment_days = IntegerField()
    late_usage = CharField()
    zero_amount = CharField()
    issue = CharField()
    tax_rounding = CharField()
