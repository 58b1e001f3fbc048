"""Who collects, how, and from whom."""

from __future__ import annotations

import secrets

from django.core.validators import MaxValueValidator
from django.db import models

from rest.encryption import register_encrypted

#: The purpose of the key that secrets are encrypted with.
SECRETS = "providers' secrets"


def webhook_token() -> str:
    return secrets.token_urlsafe(24)


class ProviderName(models.TextChoices):
    #: Bank transfers and the like, noted by people or by the API.
    MANUAL = "manual"
    STRIPE = "stripe"


class ChargeAt(models.TextChoices):
    FINALIZED = "finalized"
    DUE = "due"


class LostDispute(models.TextChoices):
    """What becomes of an invoice whose payment a lost dispute took back."""

    #: It is due again.
    REOPEN = "reopen"
    #: It is due again and written off at once.
    WRITE_OFF = "write_off"


def default_reminders() -> list[int]:
    return [-3, 1, 7, 14]


def default_retries() -> list[int]:
    return [1, 3, 7]


class CollectionPolicy(models.Model):
    """How an organization collects. Without a row, or while it is not active, nobody is charged or reminded."""

    organization = models.OneToOneField("accounts.Organization", on_delete=models.CASCADE, primary_key=True)
    is_active = models.BooleanField(default=False)
    provider = models.CharField(max_length=10, choices=ProviderName.choices, default=ProviderName.MANUAL)
    charge_at = models.CharField(max_length=10, choices=ChargeAt.choices, default=ChargeAt.FINALIZED)
    #: Days from the due date on which a reminder is sent; negative ones lie before it.
    reminder_days = models.JSONField(default=default_reminders)
    #: Days from a failed charge to the next, one by one; after the last there is no other.
    retry_days = models.JSONField(default=default_retries)
    #: Days from the due date to suspension, and to giving up; None: never.
    suspend_after_days = models.PositiveSmallIntegerField(null=True, blank=True, validators=[MaxValueValidator(365)])
    give_up_after_days = models.PositiveSmallIntegerField(null=True, blank=True, validators=[MaxValueValidator(1095)])
    #: Whether giving up writes the invoice off.
    writes_off = models.BooleanField(default=False)
    lost_dispute = models.CharField(max_length=10, choices=LostDispute.choices, default=LostDispute.REOPEN)

    class Meta:
        verbose_name_plural = "collection policies"

    def __str__(self) -> str:
        return f"collection policy of {self.organization_id}"


class StripeAccount(models.Model):
    """An organization's account at Stripe. Secrets are kept encrypted; `key_hint` lets people tell keys apart."""

    organization = models.OneToOneField("accounts.Organization", on_delete=models.CASCADE, primary_key=True)
    api_key = models.BinaryField()
    key_hint = models.CharField(max_length=20)
    is_live = models.BooleanField(default=False)
    #: What Stripe signs its webhooks to us with; empty until it is known.
    webhook_secret = models.BinaryField(default=bytes, blank=True)
    #: Stands in the address that Stripe sends them to.
    webhook_token = models.CharField(max_length=64, unique=True, default=webhook_token, editable=False)
    created_at = models.DateTimeField()

    def __str__(self) -> str:
        return f"Stripe {self.key_hint}"


register_encrypted("collection.StripeAccount", "api_key", "webhook_secret", purpose=SECRETS)


class PayingCustomer(models.Model):
    """A customer as payments know it: its provider, if it has one of its own, and what the provider knows of it."""

    customer = models.OneToOneField("billing.Customer", on_delete=models.CASCADE, primary_key=True)
    organization = models.ForeignKey("accounts.Organization", on_delete=models.CASCADE)
    #: Empty: the organization's.
    provider = models.CharField(max_length=10, choices=ProviderName.choices, blank=True)
    stripe_customer = models.CharField(max_length=255, blank=True)
    payment_method = models.CharField(max_length=255, blank=True)
    #: For people, such as "visa 4242".
    payment_method_hint = models.CharField(max_length=60, blank=True)
    #: Stripe invoices this customer: usage is pushed to its meters, and nothing is charged for our invoices.
    is_invoiced_at_stripe = models.BooleanField(default=False)
    #: When the customer was found deleted at Stripe.
    deleted_at_provider = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["organization", "stripe_customer"],
                condition=~models.Q(stripe_customer=""),
                name="stripe_customer_is_one_customer",
            )
        ]

    def __str__(self) -> str:
        return self.customer_id
