"""What other systems and people hear from us: webhooks and mail, each sent until it arrives."""

from notifications.models.mail import Mail, MailSettings, MailStatus
from notifications.models.senders import SenderLease
from notifications.models.webhooks import (
    DeliveryStatus,
    DisabledFor,
    WebhookAttempt,
    WebhookDelivery,
    WebhookEndpoint,
    WebhookEvent,
)

__all__ = [
    "DeliveryStatus",
    "DisabledFor",
    "Mail",
    "MailSettings",
    "MailStatus",
    "SenderLease",
    "WebhookAttempt",
    "WebhookDelivery",
    "WebhookEndpoint",
    "WebhookEvent",
]
