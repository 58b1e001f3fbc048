"""What other rooms may use of notifications."""

from notifications.attachments import Attachment, is_attachable, register_attachment
from notifications.contracts import Announcement, QueuedMail
from notifications.services.announcing import announce, is_listened_to, listened_types
from notifications.services.queueing import AddressInvalid, is_address, queue_mail, queue_mails

__all__ = [
    "AddressInvalid",
    "Announcement",
    "Attachment",
    "QueuedMail",
    "announce",
    "is_address",
    "is_attachable",
    "is_listened_to",
    "listened_types",
    "queue_mail",
    "queue_mails",
    "register_attachment",
]
