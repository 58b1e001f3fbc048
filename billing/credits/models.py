"""Credit grants and their movements, coupons and their redemptions, one-off charges."""

from __future__ import annotations

from decimal import Decimal

from django.db import models
from django.db.models import F, Q

from billing.catalog.models import PricingUnit
from billing.customers.models import Customer
from billing.invoicing.models import Invoice, InvoiceLine
from billing.subscriptions.models import Subscription
from kernel.ids import new_id
from rest.columns import ExactDecimalField


def credit_grant_id() -> str:
    return new_id("crg")


class GrantSource(models.TextChoices):
    PROMOTION = "promotion"
    PURCHASE = "purchase"
    #: What a credit note, or an invoice of less than nothing, left in the customer's favour.
    BALANCE = "balance"
    ROLLOVER = "rollover"


class CreditGrant(models.Model):
    """Money (in `currency`) or units (of `pricing_unit`, or of what `meter` counts) that a customer has in advance.

    Valid for what falls due in `effective_at` < t <= `expires_at`. `balance` is what is left: the sum of its
    movements. When it expires, up to `rollover_limit` of it becomes a new grant that lives for `rollover_days`.
    """

    id = models.CharField(max_length=30, primary_key=True, default=credit_grant_id, editable=False)
    organization = models.ForeignKey("accounts.Organization", on_delete=models.CASCADE)
    customer = models.ForeignKey(Customer, on_delete=models.PROTECT, related_name="credit_grants")
    name = models.CharField(max_length=200)
    source = models.CharField(max_length=10, choices=GrantSource.choices, default=GrantSource.PROMOTION)
    currency = models.CharField(max_length=3, blank=True)
    pricing_unit = models.ForeignKey(PricingUnit, on_delete=models.PROTECT, null=True)
    meter = models.ForeignKey("metering.Meter", on_delete=models.PROTECT, null=True)
    amount = ExactDecimalField()
    balance = ExactDecimalField()
    #: Lower is drawn first.
    priority = models.SmallIntegerField(default=100)
    effective_at = models.DateTimeField()
    expires_at = models.DateTimeField(null=True)
    rollover_limit = ExactDecimalField(null=True)
    rollover_days = models.IntegerField(null=True)
    voided_at = models.DateTimeField(null=True)
    created_at = models.DateTimeField()

    class Meta:
        ordering = ["priority", "expires_at", "id"]
        constraints = [
            models.CheckConstraint(
                condition=Q(currency__gt="", pricing_unit=None, meter=None)
                | Q(currency="", pricing_unit__isnull=False, meter=None)
                | Q(currency="", pricing_unit=None, meter__isnull=False),
                name="a_grant_is_of_one_thing",
            ),
            models.CheckConstraint(condition=Q(balance__gte=0, balance__lte=F("amount")), name="grant_not_overdrawn"),
        ]
        indexes = [models.Index(fields=["expires_at"], condition=Q(balance__gt=0), name="grants_to_expire")]

    def __str__(self) -> str:
        return self.name


class MovementKind(models.TextChoices):
    GRANTED = "granted"
    DRAWN = "drawn"
    #: A draw that was taken back: its draft was priced anew, or its invoice voided.
    RETURNED = "returned"
    EXPIRED = "expired"
    ROLLED_OVER = "rolled_over"
    VOIDED = "voided"


class CreditMovement(models.Model):
    """One change of a grant's balance; `amount` is signed. Never changed afterwards."""

    grant = models.ForeignKey(CreditGrant, on_delete=models.CASCADE, related_name="movements")
    kind = models.CharField(max_length=12, choices=MovementKind.choices)
    amount = ExactDecimalField()
    invoice = models.ForeignKey(Invoice, on_delete=models.SET_NULL, null=True, related_name="credit_movements")
    line = models.ForeignKey(InvoiceLine, on_delete=models.SET_NULL, null=True, related_name="credit_movements")
    occurred_at = models.DateTimeField()

    class Meta:
        ordering = ["id"]

    def __str__(self) -> str:
        return f"{self.kind} {self.amount}"


def coupon_id() -> str:
    return new_id("cou")


def redemption_id() -> str:
    return new_id("red")


class Coupon(models.Model):
    """So many percent, or so much money, off a subscription's billing periods: the first `periods`, or all."""

    id = models.CharField(max_length=30, primary_key=True, default=coupon_id, editable=False)
    organization = models.ForeignKey("accounts.Organization", on_delete=models.CASCADE)
    key = models.CharField(max_length=128)
    name = models.CharField(max_length=200)
    percent = ExactDecimalField(null=True)
    amount = ExactDecimalField(null=True)
    currency = models.CharField(max_length=3, blank=True)
    periods = models.IntegerField(null=True)
    max_redemptions = models.IntegerField(null=True)
    expires_at = models.DateTimeField(null=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["id"]
        constraints = [
            models.UniqueConstraint(fields=["organization", "key"], name="coupon_key_unique"),
            models.CheckConstraint(
                condition=Q(percent__gt=0, percent__lte=100, amount=None) | Q(percent=None, amount__gt=0),
                name="coupon_takes_percent_or_amount",
            ),
        ]

    def __str__(self) -> str:
        return self.name


class CouponRedemption(models.Model):
    """A coupon on a subscription: it takes off lines whose period starts in `starts_at` <= t < `ends_at`."""

    id = models.CharField(max_length=30, primary_key=True, default=redemption_id, editable=False)
    organization = models.ForeignKey("accounts.Organization", on_delete=models.CASCADE)
    coupon = models.ForeignKey(Coupon, on_delete=models.PROTECT, related_name="redemptions")
    customer = models.ForeignKey(Customer, on_delete=models.PROTECT, related_name="redemptions")
    subscription = models.ForeignKey(Subscription, on_delete=models.PROTECT, related_name="redemptions")
    starts_at = models.DateTimeField()
    ends_at = models.DateTimeField(null=True)
    created_at = models.DateTimeField()

    class Meta:
        ordering = ["id"]
        constraints = [
            models.UniqueConstraint(fields=["coupon", "subscription"], name="coupon_redeemed_once_per_subscription")
        ]

    def __str__(self) -> str:
        return f"{self.coupon} for {self.customer}"


class InvoiceDiscount(models.Model):
    """What a redemption took off an invoice, of the lines whose billing period starts at `period_start`."""

    invoice = models.ForeignKey(Invoice, on_delete=models.CASCADE, related_name="discounts")
    redemption = models.ForeignKey(CouponRedemption, on_delete=models.PROTECT, related_name="discounts")
    period_start = models.DateTimeField()
    amount = ExactDecimalField()

    class Meta:
        ordering = ["id"]

    def __str__(self) -> str:
        return str(self.amount)


def charge_id() -> str:
    return new_id("chg")


class OneOffCharge(models.Model):
    """An amount for something no plan says. It waits for the customer's next invoice, or makes one of its own;
    `line` is where it was billed."""

    id = models.CharField(max_length=30, primary_key=True, default=charge_id, editable=False)
    organization = models.ForeignKey("accounts.Organization", on_delete=models.CASCADE)
    customer = models.ForeignKey(Customer, on_delete=models.PROTECT, related_name="one_off_charges")
    description = models.TextField()
    currency = models.CharField(max_length=3)
    quantity = ExactDecimalField(default=Decimal(1))
    unit_amount = ExactDecimalField()
    #: Instead of the customer's rate.
    tax_rate = ExactDecimalField(null=True)
    period_start = models.DateTimeField()
    period_end = models.DateTimeField()
    line = models.OneToOneField(InvoiceLine, on_delete=models.SET_NULL, null=True, related_name="one_off_charge")
    created_at = models.DateTimeField()

    class Meta:
        verbose_name = "one-off charge"
        ordering = ["id"]
        indexes = [
            models.Index(fields=["organization", "customer"], condition=models.Q(line=None), name="charges_waiting")
        ]

    def __str__(self) -> str:
        return self.description
