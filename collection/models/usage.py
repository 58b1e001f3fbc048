"""Usage for those whom Stripe invoices."""

from __future__ import annotations

from django.db import models

from rest.columns import ExactDecimalField


class StripeMeter(models.Model):
    """Which of our meters feeds which meter at Stripe, named by its `event_name`."""

    organization = models.ForeignKey("accounts.Organization", on_delete=models.CASCADE)
    meter = models.CharField(max_length=128)
    event_name = models.CharField(max_length=100)
    #: Usage before is not pushed.
    since = models.DateTimeField()

    class Meta:
        ordering = ["id"]
        constraints = [models.UniqueConstraint(fields=["organization", "meter"], name="stripe_meter_is_mapped_once")]

    def __str__(self) -> str:
        return f"{self.meter} as {self.event_name}"


class UsagePush(models.Model):
    """What was pushed of a customer's usage of a meter in the hour from `start` on. Late usage makes another, over the
    difference, with the next `revision`."""

    stripe_meter = models.ForeignKey(StripeMeter, on_delete=models.CASCADE)
    customer = models.ForeignKey("billing.Customer", on_delete=models.CASCADE)
    start = models.DateTimeField()
    revision = models.SmallIntegerField(default=0)
    quantity = ExactDecimalField()
    call = models.OneToOneField("collection.ProviderCall", on_delete=models.CASCADE)

    class Meta:
        verbose_name_plural = "usage pushes"
        ordering = ["id"]
        constraints = [
            models.UniqueConstraint(
                fields=["stripe_meter", "customer", "start", "revision"], name="usage_is_pushed_once"
            )
        ]

    def __str__(self) -> str:
        return f"{self.quantity} from {self.start}"
