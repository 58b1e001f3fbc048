"""Subscriptions and everything that changes about them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

from django.db import models
from django.db.models import F, Q

from billing.catalog.models import PlanVersion
from billing.customers.models import Customer
from kernel.ids import new_id


def subscription_id() -> str:
    return new_id("sub")


def add_on_id() -> str:
    return new_id("sad")


class Anchor(models.TextChoices):
    CALENDAR = "calendar"
    ANNIVERSARY = "anniversary"


class UsageMode(models.TextChoices):
    """Which of a customer's events a subscription counts."""

    #: Those that name it, and those that name no subscription.
    ANY = "any"
    #: Those that name it.
    NAMED = "named"


class Subscription(models.Model):
    """A customer on a plan version from `starts_at` until `ends_at`, where that is set.

    The day it starts and the day it ends (in the customer's time zone) both count, unless another subscription to its
    plan begins on its last day (`continued_by`). Its first `trial_days` days cost nothing, or those until
    `trial_ended_at`. The version and the seats are those at its start: later ones are in
    `plan_changes` and `seat_changes`.
    """

    id = models.CharField(max_length=30, primary_key=True, default=subscription_id, editable=False)
    #: Events may name a subscription by its id or its key, so neither ever changes.
    key = models.CharField(max_length=128, null=True, blank=True)
    usage = models.CharField(max_length=5, choices=UsageMode.choices, default=UsageMode.ANY)
    organization = models.ForeignKey("accounts.Organization", on_delete=models.CASCADE)
    customer = models.ForeignKey(Customer, on_delete=models.PROTECT, related_name="subscriptions")
    plan_version = models.ForeignKey(PlanVersion, on_delete=models.PROTECT)
    starts_at = models.DateTimeField()
    ends_at = models.DateTimeField(null=True, blank=True)
    anchor = models.CharField(max_length=11, choices=Anchor.choices, default=Anchor.CALENDAR)
    trial_days = models.SmallIntegerField(default=0)
    #: The trial was ended then, before its days were over.
    trial_ended_at = models.DateTimeField(null=True, editable=False)
    #: The subscription to the same plan that begins on its last day: that day's fees belong to it.
    continued_by = models.ForeignKey("self", on_delete=models.SET_NULL, null=True, editable=False, related_name="+")
    #: That day, in the customer's zone.
    continued_on = models.DateField(null=True, editable=False)
    #: No other subscription of the customer may charge its days for its plan: none to it without an end was there when
    #: it was created. Unknown (False) of those created before this was recorded.
    charged_alone = models.BooleanField(default=False, editable=False)
    seats = models.IntegerField(default=0)
    #: Between these its usage is charged, where that is not from `starts_at` until `ends_at`: from before usage went by
    #: instants, when it went by whole days.
    usage_starts_at = models.DateTimeField(null=True, editable=False)
    usage_ends_at = models.DateTimeField(null=True, editable=False)
    created_at = models.DateTimeField(auto_now_add=True)

    #: Changes to come that a change in this very transaction dropped (`billing.subscriptions.running`); not stored.
    dropped_changes: Sequence[Mapping[str, Any]] = ()

    class Meta:
        ordering = ["id"]
        constraints = [
            models.UniqueConstraint(fields=["organization", "key"], name="subscription_key_unique"),
            models.CheckConstraint(condition=Q(seats__gte=0), name="seats_not_negative"),
            # One that never begins ends with the day before it would have.
            models.CheckConstraint(
                condition=Q(ends_at=None) | Q(ends_at__gt=F("starts_at") - timedelta(hours=26)),
                name="ends_no_day_before_start",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.customer} on {self.plan_version}"

    @property
    def names(self) -> tuple[str, ...]:
        """What events name it by."""
        return (self.pk,) if self.key is None else (self.pk, self.key)


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
    """From `starts_at` on, a subscription is on `plan_version`: its usage from that instant, its fees from that day,
    which belongs to the new version."""

    subscription = models.ForeignKey(Subscription, on_delete=models.CASCADE, related_name="plan_changes")
    plan_version = models.ForeignKey(PlanVersion, on_delete=models.PROTECT)
    starts_at = models.DateTimeField()
    #: Where its usage began at another instant (see `Subscription.usage_starts_at`).
    usage_starts_at = models.DateTimeField(null=True, editable=False)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["starts_at", "id"]

    def __str__(self) -> str:
        return f"{self.plan_version} from {self.starts_at:%Y-%m-%d}"


class SubscriptionPause(models.Model):
    """Time in which a subscription costs nothing. Its usage costs nothing between the two instants, its fees on the
    days between the day it is paused and the day it is resumed, which both count."""

    subscription = models.ForeignKey(Subscription, on_delete=models.CASCADE, related_name="pauses")
    starts_at = models.DateTimeField()
    ends_at = models.DateTimeField(null=True)
    #: Where its usage stopped costing anything at other instants (see `Subscription.usage_starts_at`).
    usage_starts_at = models.DateTimeField(null=True, editable=False)
    usage_ends_at = models.DateTimeField(null=True, editable=False)
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
    """An add-on charged beside a subscription's plan: its usage from `starts_at` until `ends_at`, its fees on the days
    of both and those between, but for a day on which another quantity takes its place. Its seat prices are charged for
    `quantity` units."""

    id = models.CharField(max_length=30, primary_key=True, default=add_on_id, editable=False)
    subscription = models.ForeignKey(Subscription, on_delete=models.CASCADE, related_name="add_ons")
    plan_version = models.ForeignKey(PlanVersion, on_delete=models.PROTECT)
    quantity = models.IntegerField(default=1)
    starts_at = models.DateTimeField()
    ends_at = models.DateTimeField(null=True)
    #: Where its usage was charged between other instants (see `Subscription.usage_starts_at`).
    usage_starts_at = models.DateTimeField(null=True, editable=False)
    usage_ends_at = models.DateTimeField(null=True, editable=False)
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
