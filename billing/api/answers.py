"""The shapes of billing's answers for the API's description: `present` fills them, a test holds the two together."""

from __future__ import annotations

from typing import Any

from rest_framework.serializers import (
    BooleanField,
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


class Customer(Serializer):  # type: ignore[type-arg]
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


class SellerProfile(Serializer):  # type: ignore[type-arg]
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


class Price(Serializer):  # type: ignore[type-arg]
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


class PlanVersion(Serializer):  # type: ignore[type-arg]
    id = CharField()
    version = IntegerField()
    currency = CharField()
    interval = CharField()
    interval_count = IntegerField()
    trial_days = IntegerField()
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


class Move(Serializer):  # type: ignore[type-arg]
    subscription = CharField()
    customer = CharField()
    plan_version = IntegerField()
    current = DecimalField()
    new = DecimalField()
    difference = DecimalField()
    currency = CharField()


class Migration(Serializer):  # type: ignore[type-arg]
    to_version = IntegerField()
    when = CharField()
    preview = BooleanField()
    moved = IntegerField()
    subscriptions = Move(many=True)


class SeatChange(Serializer):  # type: ignore[type-arg]
    seats = IntegerField()
    starts_at = InstantField()


class PlanChange(Serializer):  # type: ignore[type-arg]
    plan = CharField()
    plan_version = IntegerField()
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
    customer = CharField()
    status = CharField()
    plan = CharField()
    plan_version = IntegerField()
    overridden_prices = ListField(child=CharField())
    starts_at = InstantField()
    ends_at = _maybe(InstantField)
    anchor = CharField()
    trial_days = IntegerField()
    seats = IntegerField()
    seat_changes = SeatChange(many=True)
    plan_changes = PlanChange(many=True)
    pauses = Pause(many=True)
    add_ons = AddOn(many=True)
    created_at = InstantField()


class UpcomingLine(Serializer):  # type: ignore[type-arg]
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


class UpcomingInvoice(Serializer):  # type: ignore[type-arg]
    customer = CharField()
    subscription = CharField()
    status = CharField()
    currency = CharField()
    period_start = InstantField()
    period_end = InstantField()
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


class Invoice(Serializer):  # type: ignore[type-arg]
    id = CharField()
    kind = CharField()
    number = _maybe(CharField)
    customer = CharField()
    subscription = CharField()
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
    finalize_at = _maybe(InstantField)
    finalized_at = _maybe(InstantField)
    due_at = _maybe(InstantField)
    paid_at = _maybe(InstantField)
    voided_at = _maybe(InstantField)
    lines = InvoiceLine(many=True)


class UnbilledChange(Serializer):  # type: ignore[type-arg]
    line = CharField()
    price = _maybe(CharField)
    billed_quantity = DecimalField()
    quantity = DecimalField()
    difference = DecimalField()
    amount = DecimalField()


class LateUsageList(Serializer):  # type: ignore[type-arg]
    data = UnbilledChange(many=True)


class LateUsage(Serializer):  # type: ignore[type-arg]
    id = CharField()
    customer = CharField()
    invoice = CharField()
    line = CharField()
    quantity = DecimalField()
    amount = DecimalField()
    resolution = CharField()
    adjusted_on = _maybe(CharField)
    found_at = InstantField()
    resolved_at = _maybe(InstantField)


class BillingPolicy(Serializer):  # type: ignore[type-arg]
    grace_hours = IntegerField()
    payment_days = IntegerField()
    late_usage = CharField()
    zero_amount = CharField()
    issue = CharField()


class BillingRun(Serializer):  # type: ignore[type-arg]
    id = CharField()
    month = CharField()
    status = CharField()
    total = IntegerField()
    done = IntegerField()
    invoices = IntegerField()
    problems = ListField(child=DictField())
    created_at = InstantField()
    finished_at = _maybe(InstantField)


class TestClock(Serializer):  # type: ignore[type-arg]
    __test__ = False

    id = CharField()
    now = InstantField()
    created_at = InstantField()


class AdvancedTestClock(TestClock):
    invoices = IntegerField()
