"""Who is billed, and under which plan."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

from django.db import models
from django.db.models import F, Q

from billing.models.catalogue import PlanVersion
from billing.models.fields import ExactDecimalField
from kernel.ids import new_id


def customer_id() -> str:
    return new_id("cus")


def subscription_id() -> str:
    return new_id("sub")


def add_on_id() -> str:
    return new_id("sad")


def test_clock_id() -> str:
    return new_id("clk")


class TestClock(models.Model):
    """A clock that only moves when it is told to. Customers made with it live by it."""

    __test__ = False  # not a test, whatever its name says to a test runner

    id = models.CharField(max_length=30, primary_key=True, default=test_clock_id, editable=False)
    organization = models.ForeignKey("accounts.Organization", on_delete=models.CASCADE)
    now = models.DateTimeField()
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["id"]

    def __str__(self) -> str:
        return f"{self.now:%Y-%m-%d %H:%M} UTC"


class TaxTreatment(models.TextChoices):
    STANDARD = "standard"
    EXEMPT = "exempt"
    #: The customer owes the tax; the invoice says so and charges none.
    REVERSE_CHARGE = "reverse_charge"


class Customer(models.Model):
    """Who is billed. `key` is what events name in their `subject`, so it never changes."""

    id = models.CharField(max_length=30, primary_key=True, default=customer_id, editable=False)
    organization = models.ForeignKey("accounts.Organization", on_delete=models.CASCADE)
    key = models.CharField(max_length=128)
    name = models.CharField(max_length=200)
    email = models.EmailField(blank=True)
    currency = models.CharField(max_length=3, default="USD")
    timezone = models.CharField(max_length=64, default="UTC")
    address = models.JSONField(default=dict, blank=True)
    tax_rate = ExactDecimalField(default=Decimal(0))
    tax_id = models.CharField(max_length=64, blank=True)
    tax_treatment = models.CharField(max_length=15, choices=TaxTreatment.choices, default=TaxTreatment.STANDARD)
    #: The language of this customer's documents; empty for the seller's.
    locale = models.CharField(max_length=12, blank=True)
    metadata = models.JSONField(default=dict, blank=True)
    test_clock = models.ForeignKey(TestClock, on_delete=models.PROTECT, null=True, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["id"]
        constraints = [models.UniqueConstraint(fields=["organization", "key"], name="customer_key_unique")]

    def __str__(self) -> str:
        return self.name


class Anchor(models.TextChoices):
    CALENDAR = "calendar"
    ANNIVERSARY = "anniversary"


class Subscription(models.Model):
    """A customer on a plan version from `starts_at` until `ends_at`, where that is set.

    The day it starts and the day it ends (in the customer's time zone) both count. Its first
    `trial_days` days cost nothing. The version and the seats are those at its start: later ones are in
    `plan_changes` and `seat_changes`.
    """

    id = models.CharField(max_length=30, primary_key=True, default=subscription_id, editable=False)
    organization = models.ForeignKey("accounts.Organization", on_delete=models.CASCADE)
    customer = models.ForeignKey(Customer, on_delete=models.PROTECT, related_name="subscriptions")
    plan_version = models.ForeignKey(PlanVersion, on_delete=models.PROTECT)
    starts_at = models.DateTimeField()
    ends_at = models.DateTimeField(null=True, blank=True)
    anchor = models.CharField(max_length=11, choices=Anchor.choices, default=Anchor.CALENDAR)
    trial_days = models.SmallIntegerField(default=0)
    seats = models.IntegerField(default=0)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["id"]
        constraints = [
            models.CheckConstraint(condition=Q(seats__gte=0), name="seats_not_negative"),
            # One that never begins ends with the day before it would have.
            models.CheckConstraint(
                condition=Q(ends_at=None) | Q(ends_at__gt=F("starts_at") - timedelta(hours=26)),
                name="ends_no_day_before_start",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.customer} on {self.plan_version}"


class SeatChange(models.Model):
    """From the day of `starts_at` on, a subscription has `seats` seats. The day belongs to the new number."""

    subscription = models.ForeignKey(Subscription, on_delete=models.CASCADE, related_name="seat_changes")
    seats = models.IntegerField()
    starts_at = models.DateTimeField()
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["starts_at", "id"]
        constraints = [models.CheckConstraint(condition=Q(seats__gte=0), name="changed_seats_not_negative")]

    def __str__(self) -> str:
        return f"{self.seats} from {self.starts_at:%Y-%m-%d}"


class PlanChange(models.Model):
    """From the day of `starts_at` on, a subscription is on `plan_version`. The day belongs to the new version."""

    subscription = models.ForeignKey(Subscription, on_delete=models.CASCADE, related_name="plan_changes")
    plan_version = models.ForeignKey(PlanVersion, on_delete=models.PROTECT)
    starts_at = models.DateTimeField()
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["starts_at", "id"]

    def __str__(self) -> str:
        return f"{self.plan_version} from {self.starts_at:%Y-%m-%d}"


class SubscriptionPause(models.Model):
    """Days on which a subscription costs nothing: those between the day it is paused and the day it is resumed,
    which both count."""

    subscription = models.ForeignKey(Subscription, on_delete=models.CASCADE, related_name="pauses")
    starts_at = models.DateTimeField()
    ends_at = models.DateTimeField(null=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["starts_at", "id"]
        constraints = [
            models.UniqueConstraint(fields=["subscription"], condition=Q(ends_at=None), name="one_open_pause"),
            models.CheckConstraint(condition=Q(ends_at=None) | Q(ends_at__gte=F("starts_at")), name="pause_in_order"),
        ]

    def __str__(self) -> str:
        return f"paused from {self.starts_at:%Y-%m-%d}"


class SubscriptionAddOn(models.Model):
    """An add-on charged beside a subscription's plan, from the day of `starts_at` to that of `ends_at`; both count.
    Its seat prices are charged for `quantity` units."""

    id = models.CharField(max_length=30, primary_key=True, default=add_on_id, editable=False)
    subscription = models.ForeignKey(Subscription, on_delete=models.CASCADE, related_name="add_ons")
    plan_version = models.ForeignKey(PlanVersion, on_delete=models.PROTECT)
    quantity = models.IntegerField(default=1)
    starts_at = models.DateTimeField()
    ends_at = models.DateTimeField(null=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        verbose_name = "subscription add-on"
        ordering = ["starts_at", "id"]
        constraints = [
            models.CheckConstraint(condition=Q(quantity__gte=1), name="add_on_of_something"),
            models.CheckConstraint(condition=Q(ends_at=None) | Q(ends_at__gte=F("starts_at")), name="add_on_in_order"),
        ]

    def __str__(self) -> str:
        return f"{self.quantity} x {self.plan_version}"
