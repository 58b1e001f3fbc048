"""Limits on money and usage: alerts, and the question an agent asks before it acts."""

from __future__ import annotations

from decimal import Decimal

from django.db import models
from django.db.models import F, Q

from kernel.ids import new_id
from rest.columns import ExactDecimalField


def _budget_id() -> str:
    return new_id("bud")


def _feature_id() -> str:
    return new_id("ftr")


def _reservation_id() -> str:
    return new_id("rsv")


class Scope(models.TextChoices):
    ORGANIZATION = "organization"
    CUSTOMER = "customer"
    AGENT = "agent"
    PLAN = "plan"


class Measure(models.TextChoices):
    METER = "meter"
    #: What customers are charged.
    SPEND = "spend"
    #: What the work cost the vendor.
    COST = "cost"


class PeriodKind(models.TextChoices):
    DAY = "day"
    WEEK = "week"
    MONTH = "month"
    BILLING_PERIOD = "billing_period"
    TOTAL = "total"


class Budget(models.Model):
    """An amount or quantity per period, with thresholds that alert or stop.

    `thresholds` are as in the API: `[{"percent", "actions", "recipients"}]`, percent as text. A removed budget stays
    for its history, and its key is free again.
    """

    id = models.CharField(max_length=30, primary_key=True, default=_budget_id, editable=False)
    organization = models.ForeignKey("accounts.Organization", on_delete=models.CASCADE)
    key = models.CharField(max_length=128)
    name = models.CharField(max_length=200)
    scope = models.CharField(max_length=12, choices=Scope.choices)
    customer = models.ForeignKey("billing.Customer", on_delete=models.CASCADE, null=True)
    agent = models.CharField(max_length=255, blank=True)
    plan = models.ForeignKey("billing.Plan", on_delete=models.CASCADE, null=True)
    measure = models.CharField(max_length=5, choices=Measure.choices)
    meter = models.ForeignKey("metering.Meter", on_delete=models.PROTECT, null=True)
    filter = models.JSONField(default=dict)
    amount = ExactDecimalField()
    currency = models.CharField(max_length=3, blank=True)
    period = models.CharField(max_length=14, choices=PeriodKind.choices)
    timezone = models.CharField(max_length=64, default="UTC")
    thresholds = models.JSONField(default=list)
    created_at = models.DateTimeField(auto_now_add=True)
    removed_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["id"]
        constraints = [
            models.UniqueConstraint(
                fields=["organization", "key"], condition=Q(removed_at=None), name="budget_key_unique"
            ),
            models.CheckConstraint(
                condition=Q(measure="meter", meter__isnull=False, currency="")
                | (~Q(measure="meter") & Q(meter=None) & ~Q(currency="")),
                name="budget_measures_one_thing",
            ),
            models.CheckConstraint(
                condition=Q(scope="organization", customer=None, agent="", plan=None)
                | Q(scope="customer", customer__isnull=False, agent="", plan=None)
                | (Q(scope="agent", customer=None, plan=None) & ~Q(agent=""))
                | Q(scope="plan", customer=None, agent="", plan__isnull=False),
                name="budget_is_of_one_thing",
            ),
        ]

    def __str__(self) -> str:
        return self.name


class Feature(models.Model):
    """What a customer may use. With a meter, a plan may say how much."""

    id = models.CharField(max_length=30, primary_key=True, default=_feature_id, editable=False)
    organization = models.ForeignKey("accounts.Organization", on_delete=models.CASCADE)
    key = models.CharField(max_length=128)
    name = models.CharField(max_length=200)
    meter = models.ForeignKey("metering.Meter", on_delete=models.PROTECT, null=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["id"]
        constraints = [models.UniqueConstraint(fields=["organization", "key"], name="feature_key_unique")]

    def __str__(self) -> str:
        return self.name


class Entitlement(models.Model):
    """A feature in a plan version: all of it, or `limit` of its meter's unit per period.

    A hard limit refuses what goes beyond it, a soft one says so.
    """

    plan_version = models.ForeignKey("billing.PlanVersion", on_delete=models.CASCADE)
    feature = models.ForeignKey(Feature, on_delete=models.PROTECT)
    limit = ExactDecimalField(null=True)
    is_hard = models.BooleanField(default=True)
    period = models.CharField(max_length=14, choices=PeriodKind.choices, default=PeriodKind.BILLING_PERIOD)

    class Meta:
        ordering = ["id"]
        constraints = [
            models.UniqueConstraint(fields=["plan_version", "feature"], name="feature_once_in_a_plan_version"),
            models.CheckConstraint(condition=Q(limit=None) | Q(limit__gte=0), name="entitlement_limit_not_negative"),
        ]

    def __str__(self) -> str:
        return f"{self.feature} in {self.plan_version}"


class RunningTotal(models.Model):
    """How far a budget, or a customer's limit of a feature, has come in its present period.

    `used` is what the log said when it was last evaluated; `held` the sum of its unsettled holds. Used and held
    together never fall short of the usage of work that was reserved. `stop_at` refuses what would go beyond it.
    `revision` counts evaluations: one that was overtaken writes nothing. `is_due` asks for one. `period_found_at` is
    when the period was last worked out; without one, the customer has no subscription that has periods.
    """

    organization = models.ForeignKey("accounts.Organization", on_delete=models.CASCADE)
    budget = models.OneToOneField(Budget, on_delete=models.CASCADE, null=True, related_name="total")
    customer = models.ForeignKey("billing.Customer", on_delete=models.CASCADE, null=True)
    feature = models.ForeignKey(Feature, on_delete=models.CASCADE, null=True)
    period_kind = models.CharField(max_length=14, choices=PeriodKind.choices)
    period_start = models.DateTimeField(null=True)
    period_end = models.DateTimeField(null=True)
    period_found_at = models.DateTimeField(null=True)
    used = ExactDecimalField(default=Decimal(0))
    held = ExactDecimalField(default=Decimal(0))
    stop_at = ExactDecimalField(null=True)
    revision = models.BigIntegerField(default=0)
    is_due = models.BooleanField(default=True)
    evaluated_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["id"]
        constraints = [
            models.UniqueConstraint(
                fields=["customer", "feature", "period_kind"],
                condition=Q(budget=None),
                name="one_total_per_customer_and_feature",
            ),
            models.CheckConstraint(
                condition=Q(budget__isnull=False, customer=None, feature=None)
                | Q(budget=None, customer__isnull=False, feature__isnull=False),
                name="total_is_of_one_thing",
            ),
            models.CheckConstraint(condition=Q(held__gte=0), name="held_not_negative"),
        ]

    def __str__(self) -> str:
        return f"{self.used} used, {self.held} held"


class Crossing(models.Model):
    """A threshold that was reached: once per period. An amount that was changed is crossed anew."""

    budget = models.ForeignKey(Budget, on_delete=models.CASCADE, related_name="crossings")
    period_start = models.DateTimeField()
    period_end = models.DateTimeField()
    percent = ExactDecimalField()
    amount = ExactDecimalField()
    used = ExactDecimalField()
    actions = models.JSONField(default=list)
    crossed_at = models.DateTimeField()

    class Meta:
        ordering = ["id"]
        constraints = [
            models.UniqueConstraint(
                fields=["budget", "period_start", "percent", "amount"], name="one_crossing_per_period_and_threshold"
            )
        ]

    def __str__(self) -> str:
        return f"{self.budget} at {self.percent} %"


class ReservationState(models.TextChoices):
    HELD = "held"
    #: The work is done; its holds stay until the usage is counted.
    COMMITTED = "committed"
    SETTLED = "settled"
    RELEASED = "released"
    EXPIRED = "expired"


class Reservation(models.Model):
    """What an agent is about to use. `events` are the identities of those that a commit has named."""

    id = models.CharField(max_length=30, primary_key=True, default=_reservation_id, editable=False)
    organization = models.ForeignKey("accounts.Organization", on_delete=models.CASCADE)
    customer = models.ForeignKey("billing.Customer", on_delete=models.CASCADE)
    agent = models.CharField(max_length=255, blank=True)
    feature = models.CharField(max_length=128, blank=True)
    meter = models.CharField(max_length=128, blank=True)
    quantity = ExactDecimalField(null=True)
    state = models.CharField(max_length=9, choices=ReservationState.choices, default=ReservationState.HELD)
    events = models.JSONField(default=list, db_default=[])
    created_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["id"]
        indexes = [
            models.Index(
                fields=["expires_at"], condition=Q(state__in=["held", "committed"]), name="reservation_by_expiry"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.pk} ({self.state})"


class Hold(models.Model):
    """What a reservation holds of one running total, until it is settled.

    `log_end` is kept where the log has its usage and costs are not worked out that far yet: the transaction before
    which all of it came.
    """

    reservation = models.ForeignKey(Reservation, on_delete=models.CASCADE, related_name="holds", db_constraint=False)
    total = models.ForeignKey(RunningTotal, on_delete=models.CASCADE, related_name="holds", db_constraint=False)
    amount = ExactDecimalField()
    is_settled = models.BooleanField(default=False, db_default=False)
    log_end = models.BigIntegerField(null=True)

    class Meta:
        ordering = ["id"]
        indexes = [models.Index(F("total"), condition=Q(is_settled=False), name="hold_unsettled")]

    def __str__(self) -> str:
        return f"{self.amount} of {self.total_id}"


class EvaluationMark(models.Model):
    """How far in an organization's log its totals have been evaluated: `position` says whether anything came since,
    `snapshot` which transactions it was."""

    organization = models.OneToOneField("accounts.Organization", on_delete=models.CASCADE, primary_key=True)
    position = models.CharField(max_length=200)
    snapshot = models.TextField()
    evaluated_at = models.DateTimeField()

    def __str__(self) -> str:
        return f"{self.organization_id} to {self.position}"
