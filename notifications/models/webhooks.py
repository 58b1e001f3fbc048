"""Where events are sent, what is sent there, and how each attempt went."""

from __future__ import annotations

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q

from kernel.ids import new_id
from rest.encryption import register_encrypted

#: The purpose of the key that secrets are encrypted with.
SECRETS = "webhooks' secrets"


def webhook_endpoint_id() -> str:
    return new_id("whe")


def webhook_event_id() -> str:
    return new_id("evt")


def webhook_delivery_id() -> str:
    return new_id("whd")


class DisabledFor(models.TextChoices):
    """Why nothing is sent to an endpoint any more."""

    BY_HAND = "by_hand"
    #: It answered 410 Gone.
    GONE = "gone"
    #: Nothing arrived there for days.
    FAILING = "failing"


class WebhookEndpoint(models.Model):
    """A URL of another system that hears of events.

    Its secret signs what is sent; it is kept encrypted (`services.secrets`) and shown once. After a rotation the secret
    before signs too, until `previous_secret_until`.
    """

    id = models.CharField(max_length=30, primary_key=True, default=webhook_endpoint_id, editable=False)
    organization = models.ForeignKey("accounts.Organization", on_delete=models.CASCADE)
    url = models.CharField(max_length=2000)
    description = models.CharField(max_length=200, blank=True)
    #: None of them: all.
    event_types = ArrayField(models.CharField(max_length=60), default=list, blank=True)
    enabled = models.BooleanField(default=True)
    disabled_for = models.CharField(max_length=10, choices=DisabledFor.choices, blank=True)
    disabled_at = models.DateTimeField(null=True, blank=True)
    secret = models.CharField(max_length=400)
    previous_secret = models.CharField(max_length=400, blank=True)
    previous_secret_until = models.DateTimeField(null=True, blank=True)
    #: When the first attempt failed since the last one that succeeded.
    failing_since = models.DateTimeField(null=True, blank=True)
    last_delivered_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField()

    class Meta:
        ordering = ["id"]
        constraints = [
            models.CheckConstraint(
                condition=Q(enabled=True, disabled_for="", disabled_at=None)
                | (Q(enabled=False, disabled_at__isnull=False) & ~Q(disabled_for="")),
                name="disabled_endpoint_says_why",
            )
        ]

    def __str__(self) -> str:
        return self.url


register_encrypted("notifications.WebhookEndpoint", "secret", "previous_secret", purpose=SECRETS)


class WebhookEvent(models.Model):
    """Something that happened, as its receivers read it: `body` is signed and sent byte for byte.

    `public_id` is the message's `webhook-id`, the same for every endpoint and attempt.
    """

    public_id = models.CharField(max_length=30, unique=True, default=webhook_event_id, editable=False)
    organization = models.ForeignKey("accounts.Organization", on_delete=models.CASCADE)
    #: The only endpoint it is for, where it is not for all that listen.
    endpoint = models.ForeignKey(WebhookEndpoint, on_delete=models.CASCADE, null=True)
    type = models.CharField(max_length=60)
    #: The public id of what it is about: events of one subject arrive in the order in which they happened.
    subject = models.CharField(max_length=100)
    body = models.TextField()
    at = models.DateTimeField()
    #: Whether its deliveries are made.
    is_distributed = models.BooleanField(default=False)

    class Meta:
        ordering = ["-id"]
        indexes = [
            models.Index(fields=["id"], condition=Q(is_distributed=False), name="webhook_event_new"),
            models.Index(fields=["at"], name="webhook_event_at"),
        ]

    def __str__(self) -> str:
        return f"{self.type} {self.subject}"


class DeliveryStatus(models.TextChoices):
    #: Behind an earlier one of the same endpoint and subject.
    WAITING = "waiting"
    #: To be attempted at `next_attempt_at`.
    DUE = "due"
    DELIVERED = "delivered"
    #: Given up, until somebody asks for it again.
    FAILED = "failed"


_OPEN = Q(status__in=["waiting", "due"])


class WebhookDelivery(models.Model):
    """An event on its way to an endpoint. Of an endpoint and a subject at most one is `due` at a time."""

    public_id = models.CharField(max_length=30, unique=True, default=webhook_delivery_id, editable=False)
    organization = models.ForeignKey("accounts.Organization", on_delete=models.CASCADE)
    endpoint = models.ForeignKey(WebhookEndpoint, on_delete=models.CASCADE, related_name="deliveries")
    event = models.ForeignKey(WebhookEvent, on_delete=models.CASCADE, related_name="deliveries")
    subject = models.CharField(max_length=100)
    status = models.CharField(max_length=10, choices=DeliveryStatus.choices, default=DeliveryStatus.WAITING)
    #: Attempts since it was made, or asked for again.
    attempts = models.SmallIntegerField(default=0)
    next_attempt_at = models.DateTimeField(null=True)
    #: Until then it belongs to the sender who took it; afterwards that one is taken to be dead.
    leased_until = models.DateTimeField(null=True)
    last_status_code = models.SmallIntegerField(null=True)
    last_error = models.CharField(max_length=200, blank=True)
    created_at = models.DateTimeField()
    #: When it was delivered or given up.
    finished_at = models.DateTimeField(null=True)

    class Meta:
        verbose_name_plural = "webhook deliveries"
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["endpoint", "subject"], condition=Q(status="due"), name="one_due_delivery_per_subject"
            ),
            models.CheckConstraint(
                condition=Q(status="due", next_attempt_at__isnull=False) | ~Q(status="due"),
                name="due_delivery_has_time",
            ),
        ]
        indexes = [
            models.Index(fields=["endpoint", "next_attempt_at"], condition=Q(status="due"), name="webhook_due"),
            models.Index(fields=["endpoint", "subject", "id"], condition=_OPEN, name="webhook_open"),
            models.Index(fields=["organization", "id"], name="webhook_delivery_list"),
            models.Index(fields=["organization", "subject"], name="webhook_delivery_subject"),
            models.Index(fields=["finished_at"], name="webhook_delivery_finished"),
        ]

    def __str__(self) -> str:
        return self.public_id


class WebhookAttempt(models.Model):
    """One request: when, how long, and the answer or the reason why there was none."""

    delivery = models.ForeignKey(WebhookDelivery, on_delete=models.CASCADE, related_name="attempt_log")
    at = models.DateTimeField()
    duration_ms = models.IntegerField()
    status_code = models.SmallIntegerField(null=True)
    error = models.CharField(max_length=200, blank=True)
    #: The beginning of it.
    response = models.TextField(blank=True)

    class Meta:
        ordering = ["id"]

    def __str__(self) -> str:
        return f"{self.status_code or self.error}"
