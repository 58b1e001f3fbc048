"""What other rooms may use of notifications."""

from notifications.attachments import Attachment, is_attachable, register_attachment
from notifications.composing import Composed
from notifications.contracts import Announcement, QueuedMail
from notifications.domain.signing import OVERLAP_HOURS
from notifications.event_types import EVENT_TYPES
from notifications.mail_kinds import MAIL_KINDS
from notifications.models import DeliveryStatus, MailSettings, MailStatus, WebhookDelivery, WebhookEndpoint
from notifications.queries.backlog import Backlog, mail_backlog, webhook_backlog
from notifications.queries.mail import get_mail, mail_settings_of, mails_of, sample_mail, written_mail
from notifications.queries.webhooks import deliveries_of, endpoints_of, get_delivery, get_endpoint
from notifications.services.announcing import announce, is_listened_to, listened_types
from notifications.services.endpoints import (
    create_endpoint,
    delete_endpoint,
    rotate_secret,
    send_test,
    update_endpoint,
)
from notifications.services.forgetting import forget_messages, messages_of, remove_mail_files
from notifications.services.mailing import change_mail_settings, retry_mail
from notifications.services.queueing import AddressInvalid, is_address, queue_mail, queue_mails
from notifications.services.replaying import replay_delivery, replay_failed
from notifications.services.secrets import reveal_secret

__all__ = [
    "EVENT_TYPES",
    "MAIL_KINDS",
    "OVERLAP_HOURS",
    "AddressInvalid",
    "Announcement",
    "Attachment",
    "Backlog",
    "Composed",
    "DeliveryStatus",
    "MailSettings",
    "MailStatus",
    "QueuedMail",
    "WebhookDelivery",
    "WebhookEndpoint",
    "announce",
    "change_mail_settings",
    "create_endpoint",
    "delete_endpoint",
    "deliveries_of",
    "endpoints_of",
    "forget_messages",
    "get_delivery",
    "get_endpoint",
    "get_mail",
    "is_address",
    "is_attachable",
    "is_listened_to",
    "listened_types",
    "mail_backlog",
    "mail_settings_of",
    "mails_of",
    "messages_of",
    "queue_mail",
    "queue_mails",
    "register_attachment",
    "remove_mail_files",
    "replay_delivery",
    "replay_failed",
    "retry_mail",
    "reveal_secret",
    "rotate_secret",
    "sample_mail",
    "send_test",
    "update_endpoint",
    "webhook_backlog",
    "written_mail",
]
