"""Mail to be sent, being sent, and sent."""

from __future__ import annotations

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q

from kernel.ids import new_id


def mail_id() -> str:
    return new_id("eml")


class MailStatus(models.TextChoices):
    QUEUED = "queued"
    SENT = "sent"
    #: Given up, until somebody asks for it again.
    FAILED = "failed"


class Mail(models.Model):
    """A mail to somebody: its kind and what its template is filled with. It is put into words when it is sent."""

    id = models.CharField(max_length=30, primary_key=True, default=mail_id, editable=False)
    organization = models.ForeignKey("accounts.Organization", on_delete=models.CASCADE)
    kind = models.CharField(max_length=40)
    #: What makes it one mail, however often it is asked for.
    key = models.CharField(max_length=200)
    to = ArrayField(models.CharField(max_length=254))
    context = models.JSONField(default=dict)
    status = models.CharField(max_length=10, choices=MailStatus.choices, default=MailStatus.QUEUED)
    attempts = models.SmallIntegerField(default=0)
    next_attempt_at = models.DateTimeField()
    leased_until = models.DateTimeField(null=True)
    last_error = models.CharField(max_length=500, blank=True)
    created_at = models.DateTimeField()
    sent_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["-id"]
        constraints = [models.UniqueConstraint(fields=["organization", "key"], name="one_mail_per_key")]
        indexes = [
            models.Index(fields=["next_attempt_at"], condition=Q(status="queued"), name="mail_due"),
            models.Index(fields=["organization", "id"], name="mail_list"),
            models.Index(fields=["created_at"], name="mail_created"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.key}"


class MailSettings(models.Model):
    """In whose name an organization's mail is sent, and which it does not send. Without a row: all, in its own name."""

    organization = models.OneToOneField("accounts.Organization", on_delete=models.CASCADE, primary_key=True)
    #: The name beside the sender's address; the organization's own where empty.
    sender_name = models.CharField(max_length=100, blank=True)
    reply_to = models.EmailField(blank=True)
    #: The colour of buttons and of the line above, such as #1f5eff.
    accent = models.CharField(max_length=7, blank=True)
    #: Kinds of mail that are not sent.
    switched_off = ArrayField(models.CharField(max_length=40), default=list, blank=True)

    class Meta:
        verbose_name_plural = "mail settings"

    def __str__(self) -> str:
        return self.sender_name or str(self.organization_id)
