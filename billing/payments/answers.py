"""Shapes of the API answers of payments and credit notes."""

from __future__ import annotations

from typing import Any

from rest_framework.serializers import CharField, Serializer

from rest.serializers import DecimalField, InstantField


class Payment(Serializer[Any]):
    """Money received for an invoice, or (negative) given back."""

    id = CharField()
    invoice = CharField()
    customer = CharField()
    amount = DecimalField()
    currency = CharField()
    method = CharField()
    reference = CharField()
    refund_of = CharField(allow_null=True)
    paid_at = InstantField()


class CreditNoteLine(Serializer[Any]):
    line = CharField()
    amount = DecimalField()
    tax = DecimalField()


class CreditNote(Serializer[Any]):
    """`total` is what lowered the amount due (`applied`), what became credit (`credited`) and what was paid back."""

    id = CharField()
    number = CharField()
    invoice = CharField()
    customer = CharField()
    kind = CharField()
    reason = CharField()
    currency = CharField()
    subtotal = DecimalField()
    tax = DecimalField()
    total = DecimalField()
    applied = DecimalField()
    credited = DecimalField()
    refunded = DecimalField()
    issued_at = InstantField()
    lines = CreditNoteLine(many=True)
