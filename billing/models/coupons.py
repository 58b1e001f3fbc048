"""Coupons, who has redeemed them, and what they took off."""

from __future__ import annotations

from django.db import models
from django.db.models import Q

from billing.models.customers import Customer, Subscription
from billing.models.fields import ExactDecimalField
from billing.models.invoices import Invoice
from kernel.ids import new_id


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
