from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.db.models import QuerySet

from accounts.facade import Organization
from kernel.errors import NotFoundError
from notifications.composing import Composed, compose
from notifications.letters.kinds import SECRET
from notifications.letters.letter import LetterInvalid
from notifications.letters.samples import SAMPLES
from notifications.mail_kinds import MAIL_KINDS
from notifications.models import Mail, MailSettings


def mails_of(organization_id: int, *, kind: str | None = None, status: str | None = None) -> QuerySet[Mail]:
    """The mails of an organization, without what they are filled with; the filters that are given all hold."""
    asked = {name: value for name, value in (("kind", kind), ("status", status)) if value}
    return Mail.objects.filter(organization_id=organization_id, **asked).defer("context")


def get_mail(*, organization_id: int, mail: str) -> Mail:
    """Raises `NotFoundError` with the code `mail_not_found`."""
    rows = Mail.objects.filter(organization_id=organization_id).select_related("organization")
    found = rows.filter(pk=mail).first() if "\x00" not in mail else None
    if found is None:
        raise NotFoundError(f"There is no mail {mail!r}", code="mail_not_found")
    return found


def mail_settings_of(organization_id: int) -> MailSettings:
    """The organization's choices; the defaults (not stored) where it has made none."""
    found = MailSettings.objects.filter(organization_id=organization_id).first()
    return found or MailSettings(organization_id=organization_id)


def written_mail(mail: Mail) -> Composed | None:
    """What a mail says; None where that is not shown to anybody else, or cannot be written."""
    if mail.kind in SECRET:
        return None
    return _written(mail.organization, mail.kind, mail.context)


def sample_mail(organization: Organization, kind: str) -> Composed:
    """What a mail of a kind looks like. Raises `NotFoundError` with the code `mail_kind_not_found`."""
    if kind not in MAIL_KINDS:
        raise NotFoundError(f"There is no mail of the kind {kind!r}", code="mail_kind_not_found")
    return compose(
        organization=organization, kind=kind, context=SAMPLES[kind], chosen=mail_settings_of(organization.pk)
    )


def _written(organization: Organization, kind: str, context: Mapping[str, Any]) -> Composed | None:
    try:
        return compose(organization=organization, kind=kind, context=context, chosen=mail_settings_of(organization.pk))
    except LetterInvalid:
        return None
