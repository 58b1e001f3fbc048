"""A mail as it leaves: its letter in text and HTML, its headers, its files."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from email.utils import formataddr, parseaddr
from typing import Any

from django.conf import settings
from django.core.mail import EmailMultiAlternatives
from django.template.loader import render_to_string

from accounts.facade import Organization
from kernel.text import file_name, one_line
from notifications.attachments import render_attachments
from notifications.letters.kinds import LETTERS
from notifications.letters.letter import Letter, Writing
from notifications.models import Mail, MailSettings

#: Of buttons and the line above, where the organization has chosen none.
ACCENT = "#1f4e79"

_COLOR = re.compile(r"#[0-9a-fA-F]{6}")


@dataclass(frozen=True, slots=True)
class Composed:
    """A letter in the three forms it has."""

    letter: Letter
    text: str
    html: str
    sender: str


def compose(
    *, organization: Organization, kind: str, context: Mapping[str, Any], chosen: MailSettings | None
) -> Composed:
    """Put a kind of mail into words. Raises `LetterInvalid` where `context` does not say what it needs."""
    sender = (chosen.sender_name if chosen else "") or organization.name
    letter = LETTERS[kind](Writing(sender, settings.PUBLIC_URL, context))
    accent = chosen.accent if chosen and _COLOR.fullmatch(chosen.accent) else ACCENT
    shown = {"letter": letter, "sender": sender, "accent": accent, "accent_ink": _ink_on(accent)}
    # A rendered template counts as safe HTML. This one is text: whoever shows it in a page has to escape it.
    text = str.__str__(render_to_string("notifications/letter.txt", shown))
    return Composed(letter, text, render_to_string("notifications/letter.html", shown), sender)


def message_of(mail: Mail, chosen: MailSettings | None) -> EmailMultiAlternatives:
    """The message to send. Its id is the mail's own, so that a program that gets it twice can tell.

    What people wrote is freed of line breaks before it becomes a header. Raises `LetterInvalid`.
    """
    composed = compose(organization=mail.organization, kind=mail.kind, context=mail.context, chosen=chosen)
    _, address = parseaddr(settings.DEFAULT_FROM_EMAIL)
    message = EmailMultiAlternatives(
        subject=_header(composed.letter.subject),
        body=composed.text,
        from_email=formataddr((_header(composed.sender), address)),
        to=mail.to,
        reply_to=[chosen.reply_to] if chosen and chosen.reply_to else None,
        headers={
            "Message-ID": f"<{mail.pk.lower()}@{address.rpartition('@')[2] or 'localhost'}>",
            "Auto-Submitted": "auto-generated",
            "X-Taximeter-Kind": mail.kind,
        },
    )
    message.attach_alternative(composed.html, "text/html")
    for one in render_attachments(mail.organization_id, mail.context.get("attachments")):
        message.attach(file_name(one.name), one.content, one.media_type)
    return message


def _header(text: str) -> str:
    return one_line(text).strip()


def _ink_on(color: str) -> str:
    """White or black, whichever stands out more (relative luminance: WCAG 2.2)."""
    parts = [int(color[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [one / 12.92 if one <= 0.04045 else ((one + 0.055) / 1.055) ** 2.4 for one in parts]
    luminance = 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
    return "#ffffff" if luminance < 0.179 else "#000000"
