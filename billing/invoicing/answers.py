"""Shapes of the API answers of invoices, runs and late usage."""

from __future__ import annotations

from typing import Any

from rest_framework.serializers import (
    CharField,
    DictField,
    IntegerField,
    ListField,
    Serializer,
)

from billing.customers.answers import _maybe
from rest.serializers import DecimalField, InstantField, Shape


class UpcomingLine(Serializer[Any]):
    price = _maybe(CharField)
    kind = CharField()
    role = CharField()
    description = CharField()
    quantity = DecimalField()
    unit_amount = _maybe(DecimalField)
    units = _maybe(DecimalField)
    amount = DecimalField()
    discount = DecimalField()
    tax = DecimalField()
    period_start = InstantField()
    period_end = InstantField()
    breakdown = ListField(child=DictField())
    steps = ListField(child=DictField())
    events = IntegerField()


class InvoiceLine(UpcomingLine):
    id = CharField()
    adjusts = _maybe(CharField)
    tax_rate = DecimalField()


class UpcomingInvoice(Serializer[Any]):
    customer = CharField()
    subscription = _maybe(CharField)
    status = CharField()
    currency = CharField()
    period_start = InstantField()
    period_end = InstantField()
    spend = DecimalField(
        help_text="What the period itself costs so far, before tax and credit, after coupons and credit notes"
    )
    subtotal = DecimalField()
    discount = DecimalField()
    tax = DecimalField()
    total = DecimalField()
    credits_applied = DecimalField()
    amount_due = DecimalField()
    lines = UpcomingLine(many=True)


class UpcomingInvoices(UpcomingInvoice):
    """The first of the customer's subscriptions, with those of the `others` where there are several."""

    others = UpcomingInvoice(many=True, required=False)


class Invoice(Serializer[Any]):
    id = CharField()
    kind = CharField()
    number = _maybe(CharField)
    customer = CharField()
    subscription = _maybe(CharField)
    status = CharField()
    currency = CharField()
    month = CharField()
    period_start = InstantField()
    period_end = InstantField()
    subtotal = DecimalField()
    discount = DecimalField()
    credits_applied = DecimalField()
    tax = DecimalField()
    total = DecimalField()
    amount_due = DecimalField()
    created_at = InstantField()
    tax_treatment = CharField()
    tax_rounding = CharField()
    finalize_at = _maybe(InstantField)
    finalized_at = _maybe(InstantField)
    due_at = _maybe(InstantField)
    paid_at = _maybe(InstantField)
    voided_at = _maybe(InstantField)
    lines = InvoiceLine(many=True)
    unprintable = ListField(child=CharField())


class UnbilledChange(Serializer[Any]):
    line = CharField()
    price = _maybe(CharField)
    billed_quantity = DecimalField()
    quantity = DecimalField()
    difference = DecimalField()
    amount = _maybe(DecimalField)
    problem = _maybe(CharField)


class LateUsageList(Shape):
    data = UnbilledChange(many=True)


class LateUsage(Serializer[Any]):
    id = CharField()
    customer = CharField()
    invoice = CharField()
    line = CharField()
    quantity = DecimalField()
    amount = DecimalField()
    resolution = CharField()
    problem = _maybe(CharField)
    adjusted_on = _maybe(CharField)
    found_at = InstantField()
    resolved_at = _maybe(InstantField)


class BillingRun(Serializer[Any]):
    id = CharField()
    month = CharField()
    status = CharField()
    total = IntegerField()
    done = IntegerField()
    invoices = IntegerField()
    problems = ListField(child=DictField())
    created_at = InstantField()
    finished_at = _maybe(InstantField)
