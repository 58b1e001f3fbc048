"""Plans, their versions and prices, and migrations of subscriptions between versions."""

from __future__ import annotations

from decimal import Decimal

from django.db import models

from billing.fields import RunStatus
from kernel.ids import new_id
from rest.columns import ExactDecimalField

#: Until so long after a task's end, another outcome settles the task; later it corrects it.
SETTLEMENT_HOURS = 72


def plan_id() -> str:
    return new_id("pln")


def plan_version_id() -> str:
    return new_id("plv")


def price_id() -> str:
    return new_id("prc")


def pricing_unit_id() -> str:
    return new_id("pun")


class PricingUnit(models.Model):
    """A named credit that prices may be in: one is worth `rate` of `currency`. A price keeps the rate it was made
    with."""

    id = models.CharField(max_length=30, primary_key=True, default=pricing_unit_id, editable=False)
    organization = models.ForeignKey("accounts.Organization", on_delete=models.CASCADE)
    key = models.CharField(max_length=128)
    name = models.CharField(max_length=200)
    currency = models.CharField(max_length=3)
    rate = ExactDecimalField()
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["id"]
        constraints = [
            models.UniqueConstraint(fields=["organization", "key"], name="pricing_unit_key_unique"),
            models.CheckConstraint(condition=models.Q(rate__gt=0), name="pricing_unit_is_worth_something"),
        ]

    def __str__(self) -> str:
        return self.name


class Plan(models.Model):
    """A named set of prices. What it charges stands in its versions. An add-on is a plan that is charged beside
    another one."""

    id = models.CharField(max_length=30, primary_key=True, default=plan_id, editable=False)
    organization = models.ForeignKey("accounts.Organization", on_delete=models.CASCADE)
    key = models.CharField(max_length=128)
    name = models.CharField(max_length=200)
    add_on = models.BooleanField(default=False)
    #: From then on nobody new gets on it; who is on it stays.
    archived_at = models.DateTimeField(null=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["id"]
        constraints = [models.UniqueConstraint(fields=["organization", "key"], name="plan_key_unique")]

    def __str__(self) -> str:
        return self.name


class Interval(models.TextChoices):
    DAY = "day"
    WEEK = "week"
    MONTH = "month"
    QUARTER = "quarter"
    YEAR = "year"


class PlanVersion(models.Model):
    """One version of a plan. It never changes; another price is another version.

    With a `customer` it is that customer's own: the version it is `based_on`, and numbered as, with some prices
    overridden.
    """

    id = models.CharField(max_length=30, primary_key=True, default=plan_version_id, editable=False)
    plan = models.ForeignKey(Plan, on_delete=models.CASCADE, related_name="versions")
    number = models.IntegerField(default=1)
    currency = models.CharField(max_length=3)
    interval = models.CharField(max_length=10, choices=Interval.choices, default=Interval.MONTH)
    interval_count = models.SmallIntegerField(default=1)
    trial_days = models.SmallIntegerField(default=0)
    #: A customer who had a trial of the plan gets no other one.
    trial_once_per_customer = models.BooleanField(default=False)
    #: Open usage of this much is invoiced before its period ends.
    invoice_threshold = ExactDecimalField(null=True)
    settlement_hours = models.PositiveIntegerField(default=SETTLEMENT_HOURS)
    customer = models.ForeignKey("Customer", on_delete=models.CASCADE, null=True, related_name="own_versions")
    based_on = models.ForeignKey("self", on_delete=models.PROTECT, null=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["number"]
        constraints = [
            models.UniqueConstraint(
                fields=["plan", "number"], condition=models.Q(customer=None), name="plan_version_number_unique"
            )
        ]

    def __str__(self) -> str:
        return f"{self.plan} v{self.number}"


class PriceKind(models.TextChoices):
    FIXED = "fixed"
    SEAT = "seat"
    USAGE = "usage"
    #: The plan's minimum commitment, which a true-up line fills up to.
    COMMITMENT = "commitment"


class Bill(models.TextChoices):
    IN_ADVANCE = "in_advance"
    IN_ARREARS = "in_arrears"


class Price(models.Model):
    """How one fixed fee, seat count or meter becomes money. `model` is the pricing model's JSON."""

    id = models.CharField(max_length=30, primary_key=True, default=price_id, editable=False)
    plan_version = models.ForeignKey(PlanVersion, on_delete=models.CASCADE, related_name="prices")
    position = models.SmallIntegerField()
    key = models.CharField(max_length=128)
    name = models.CharField(max_length=200)
    kind = models.CharField(max_length=10, choices=PriceKind.choices)
    bill = models.CharField(max_length=10, choices=Bill.choices, default=Bill.IN_ARREARS)
    meter = models.ForeignKey("metering.Meter", on_delete=models.PROTECT, null=True)
    filter = models.JSONField(default=dict)
    prorate = models.BooleanField(default=True)
    included = ExactDecimalField(default=Decimal(0))
    minimum = ExactDecimalField(null=True)
    maximum = ExactDecimalField(null=True)
    model = models.JSONField()
    #: Where set, the price is in these units, `unit_rate` of the plan's currency each.
    pricing_unit = models.ForeignKey(PricingUnit, on_delete=models.PROTECT, null=True)
    unit_rate = ExactDecimalField(null=True)
    #: Taxed at this rate instead of the customer's.
    tax_rate = ExactDecimalField(null=True)

    class Meta:
        ordering = ["position"]
        constraints = [
            models.UniqueConstraint(fields=["plan_version", "key"], name="price_key_unique_in_version"),
            models.CheckConstraint(
                condition=models.Q(kind="usage", meter__isnull=False)
                | (~models.Q(kind="usage") & models.Q(meter=None)),
                name="usage_prices_have_a_meter",
            ),
            models.CheckConstraint(
                condition=models.Q(bill="in_arrears") | models.Q(kind__in=["fixed", "seat"]),
                name="only_fees_are_billed_in_advance",
            ),
        ]

    def __str__(self) -> str:
        return self.name


def plan_migration_id() -> str:
    return new_id("plm")


class PlanMigration(models.Model):
    """A migration of a plan's subscriptions to `to_version`: how far it is, and whom it could not move.

    It is worked in batches, each in one transaction; what is left to move is found anew every time.
    """

    id = models.CharField(max_length=30, primary_key=True, default=plan_migration_id, editable=False)
    organization = models.ForeignKey("accounts.Organization", on_delete=models.CASCADE)
    plan = models.ForeignKey(Plan, on_delete=models.CASCADE, related_name="migrations")
    to_version = models.ForeignKey(PlanVersion, on_delete=models.CASCADE)
    when = models.CharField(max_length=10)
    actor = models.CharField(max_length=254)
    status = models.CharField(max_length=10, choices=RunStatus.choices, default=RunStatus.QUEUED)
    total = models.IntegerField(default=0)
    moved = models.IntegerField(default=0)
    #: Subscriptions that stayed where they were, and why.
    problems = models.JSONField(default=list)
    created_at = models.DateTimeField()
    finished_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["plan"],
                condition=models.Q(status__in=["queued", "running"]),
                name="one_active_migration_per_plan",
            )
        ]

    def __str__(self) -> str:
        return f"{self.plan} to {self.to_version}"
