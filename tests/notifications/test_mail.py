"""Mail: asked for in a transaction, written in the reader's ways, sent once."""

from __future__ import annotations

import smtplib
from datetime import UTC, datetime, timedelta
from email import message_from_bytes, policy
from email.message import EmailMessage as Parsed
from pathlib import Path
from typing import Any

import pytest
from django.core import mail as outbox
from django.core.mail.backends.locmem import EmailBackend as InMemory
from django.db import transaction

from kernel.errors import InvalidError
from notifications.composing import compose
from notifications.facade import AddressInvalid, Attachment, queue_mail, register_attachment
from notifications.letters.kinds import LETTERS
from notifications.letters.samples import SAMPLES
from notifications.mail_kinds import MAIL_KINDS
from notifications.models import Mail, MailSettings
from notifications.sending.mail import claim_mail, send_mail
from notifications.services.mailing import change_mail_settings, retry_mail
from tests.api import Api

pytestmark = pytest.mark.django_db

NOON = datetime(2026, 11, 2, 12, tzinfo=UTC)
INVOICE = {
    "number": "INV-000007",
    "currency": "EUR",
    "total": "1234.5",
    "amount_due": "1234.5",
    "due_at": "2026-11-30T23:30:00Z",
}


def ask(api: Api, key: str = "k", *, to: str = "ap@acme.example", kind: str = "invoice_issued", **context: Any) -> None:
    queue_mail(
        organization_id=api.organization.pk,
        kind=kind,
        to=[to],
        context={"customer": "Acme", "invoice": INVOICE, **context},
        key=key,
        at=NOON,
    )


def send(now: datetime = NOON) -> int:
    return send_mail(clock=lambda: now, seconds=20)


def test_a_mail_is_sent_once_however_often_it_is_asked_for(api: Api) -> None:
    ask(api)
    ask(api)
    assert send() == 1
    ask(api)
    assert send() == 0
    [sent] = outbox.outbox
    assert sent.to == ["ap@acme.example"]
    assert sent.subject == "Invoice INV-000007 from Vendor: €1,234.50"
    assert sent.from_email == "Vendor <taximeter@localhost>"
    assert "Please pay €1,234.50 by November 30, 2026." in sent.body
    stored = Mail.objects.get()
    assert (stored.status, stored.sent_at, stored.attempts) == ("sent", NOON, 1)
    assert sent.extra_headers["Message-ID"] == f"<{stored.pk.lower()}@localhost>"


def test_the_same_key_of_another_organization_is_another_mail(api: Api, another_api: Api) -> None:
    ask(api)
    ask(another_api)
    assert send() == 2


def test_a_mail_of_a_transaction_that_fails_is_never_sent(api: Api) -> None:
    with transaction.atomic():
        ask(api)
        transaction.set_rollback(True)
    assert send() == 0


def test_money_and_days_are_written_as_the_customer_does(api: Api) -> None:
    ask(api, locale="de-AT", timezone="Europe/Vienna", payment_url="https://pay.example.com/7")
    send()
    [sent] = outbox.outbox
    assert sent.subject == "Invoice INV-000007 from Vendor: €\xa01.234,50"
    assert "by 1. Dezember 2026" in sent.body, "half past eleven in the evening of UTC is the next day in Vienna"
    assert "Pay this invoice:\nhttps://pay.example.com/7" in sent.body
    [(html, kind)] = sent.alternatives
    assert kind == "text/html"
    assert 'href="https://pay.example.com/7"' in html


@pytest.mark.parametrize("kind", MAIL_KINDS)
def test_every_kind_can_be_written(api: Api, kind: str) -> None:
    composed = compose(organization=api.organization, kind=kind, context=SAMPLES[kind], chosen=None)
    assert composed.letter.heading in composed.html
    assert composed.letter.heading in composed.text
    assert "prefers-color-scheme: dark" in composed.html


def test_every_kind_has_a_letter_and_a_sample() -> None:
    assert set(MAIL_KINDS) == set(LETTERS) == set(SAMPLES)


def test_a_kind_that_is_none_and_an_address_that_is_none_are_refused(api: Api) -> None:
    with pytest.raises(InvalidError) as refused:
        ask(api, kind="chain_letter")
    assert refused.value.code == "mail_kind_unknown"
    for address in ("nobody", "a@b.example\nBcc: c@d.example", "a@b.example, c@d.example", "A <a@b.example>"):
        with pytest.raises(AddressInvalid):
            ask(api, to=address)


def test_nothing_that_people_write_becomes_a_header_or_markup(api: Api, tmp_path: Path, settings: Any) -> None:
    settings.EMAIL_BACKEND = "notifications.sending.eml_files.EmailBackend"
    settings.EMAIL_FILE_PATH = tmp_path / "mail"
    api.organization.name = "Evil\r\nBcc: victim@example.com\r\n\r\n<script>alert(1)</script>"
    api.organization.save()
    ask(api, customer="<img src=x onerror=alert(1)>", invoice={**INVOICE, "number": "7\r\nX-Evil: yes"})
    assert send() == 1
    [message] = read_files(tmp_path / "mail")
    assert message["Bcc"] is None
    assert message["X-Evil"] is None
    assert message["Subject"].strip().startswith("Invoice 7 X-Evil: yes from Evil Bcc: victim@example.com <script>")
    html = message.get_body(("html",)).get_content()
    assert "<script>" not in html
    assert "<img" not in html


def test_a_machine_that_sends_no_mail_writes_files_with_names_to_read(api: Api, tmp_path: Path, settings: Any) -> None:
    settings.EMAIL_BACKEND = "notifications.sending.eml_files.EmailBackend"
    settings.EMAIL_FILE_PATH = tmp_path / "mail"
    ask(api, "one", to="x/etc/passwd@acme.example")
    ask(api, "two", to="x/etc/passwd@acme.example")
    assert send() == 2
    names = sorted(path.name for path in (tmp_path / "mail").iterdir())
    assert len(names) == 2
    assert all("etc-passwd@acme.example Invoice-INV-000007-from-Vendor" in name for name in names)
    assert all(name.endswith(".eml") for name in names)
    assert (tmp_path / "mail").stat().st_mode & 0o077 == 0
    first = read_files(tmp_path / "mail")[0]
    assert first.get_body(("plain",)).get_content().startswith("Your invoice INV-000007")
    assert first["Auto-Submitted"] == "auto-generated"


def read_files(directory: Path) -> list[Parsed]:
    found = [message_from_bytes(path.read_bytes(), policy=policy.default) for path in sorted(directory.iterdir())]
    return [one for one in found if isinstance(one, Parsed)]


class Refusing(InMemory):
    """A mail server that is told what to say."""

    raises: list[Exception] = []

    def send_messages(self, messages: Any) -> int:
        if self.raises:
            raise self.raises.pop(0)
        return super().send_messages(messages)


@pytest.fixture
def refusing(settings: Any) -> list[Exception]:
    settings.EMAIL_BACKEND = "tests.notifications.test_mail.Refusing"
    Refusing.raises = []
    return Refusing.raises


def test_what_a_server_cannot_take_now_is_sent_again_later(api: Api, refusing: list[Exception]) -> None:
    refusing += [ConnectionRefusedError("no server"), smtplib.SMTPDataError(451, b"try later")]
    ask(api)
    assert send() == 0
    waiting = Mail.objects.get()
    assert waiting.last_error == "ConnectionRefusedError: no server"
    assert timedelta(seconds=48) <= waiting.next_attempt_at - NOON <= timedelta(seconds=72)
    assert send(NOON + timedelta(seconds=40)) == 0
    assert send(NOON + timedelta(seconds=80)) == 0
    assert "451" in Mail.objects.get().last_error
    assert send(NOON + timedelta(minutes=10)) == 1
    assert Mail.objects.get().last_error == ""


def test_what_a_server_refuses_for_good_fails_at_once_and_may_be_asked_for_again(
    api: Api, refusing: list[Exception]
) -> None:
    refusing.append(smtplib.SMTPRecipientsRefused({"ap@acme.example": (550, b"no such user")}))
    ask(api)
    send()
    failed = Mail.objects.get()
    assert failed.status == "failed"
    assert "no such user" in failed.last_error
    assert send(NOON + timedelta(days=3)) == 0
    retry_mail(mail=failed, now=NOON + timedelta(days=3))
    assert send(NOON + timedelta(days=3)) == 1


def test_a_mail_that_cannot_be_written_says_why_and_holds_up_no_other(api: Api) -> None:
    ask(api, "broken", invoice={"number": "INV-1"})
    ask(api, "whole")
    assert send() == 1
    broken = Mail.objects.get(key="broken")
    assert (broken.status, broken.last_error) == (
        "failed",
        "LetterInvalid: The mail's context lacks invoice.amount_due",
    )


def test_mail_that_a_killed_sender_had_taken_goes_after_its_lease(api: Api) -> None:
    ask(api)
    assert len(claim_mail(now=NOON)) == 1
    assert send() == 0
    assert send(NOON + timedelta(minutes=11)) == 1


def test_a_link_that_lets_people_in_is_forgotten_once_it_is_sent(api: Api) -> None:
    ask(api, kind="portal_link", link="https://billing.example.com/portal/secret")
    send()
    assert "portal/secret" in outbox.outbox[0].body
    assert Mail.objects.get().context == {}


def test_an_organization_sends_in_its_own_name_and_not_what_it_has_switched_off(api: Api) -> None:
    change_mail_settings(
        organization_id=api.organization.pk,
        sender_name="Vendor Billing",
        reply_to="billing@vendor.example",
        accent="#ffee00",
        switched_off=["payment_reminder"],
    )
    ask(api, "one", payment_url="https://pay.example.com/7")
    ask(api, "two", kind="payment_reminder")
    assert send() == 1
    [sent] = outbox.outbox
    assert sent.from_email == "Vendor Billing <taximeter@localhost>"
    assert sent.reply_to == ["billing@vendor.example"]
    html = sent.alternatives[0][0]
    assert "background-color:#ffee00" in html
    assert "color:#000000" in html, "black on yellow can be read"
    assert MailSettings.objects.get().switched_off == ["payment_reminder"]


def test_a_file_goes_with_mail_where_a_room_has_registered_how_to_make_it(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("notifications.attachments._renders", {})
    register_attachment("sample_pdf", lambda _, reference: Attachment(f"{reference}.pdf", "application/pdf", b"%PDF-"))
    ask(api, attachments=[{"kind": "sample_pdf", "id": "INV-7"}, {"kind": "nobody makes this", "id": "x"}])
    send()
    assert outbox.outbox[0].attachments == [("INV-7.pdf", b"%PDF-", "application/pdf")]
