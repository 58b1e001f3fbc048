"""Mail to a mail server that speaks SMTP, and does not always say yes."""

from __future__ import annotations

import socketserver
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any

import pytest

from notifications.facade import queue_mail
from notifications.models import Mail
from notifications.sending.mail import send_mail
from tests.api import Api

pytestmark = pytest.mark.django_db

NOON = datetime(2026, 11, 2, 12, tzinfo=UTC)


@dataclass
class MailServer:
    """`answers` are given to RCPT and to the end of DATA, one after the other; afterwards everything is welcome."""

    port: int = 0
    answers: dict[str, list[str]] = field(default_factory=dict)
    received: list[EmailMessage] = field(default_factory=list)
    connections: int = 0

    def answer(self, command: str) -> str:
        queue = self.answers.get(command, [])
        return queue.pop(0) if queue else "250 OK"


@pytest.fixture
def server(settings: Any) -> Iterator[MailServer]:
    found = MailServer()

    class Handler(socketserver.StreamRequestHandler):
        def say(self, line: str) -> None:
            self.wfile.write(line.encode() + b"\r\n")

        def handle(self) -> None:
            found.connections += 1
            self.say("220 mail.example.com")
            while line := self.rfile.readline().decode().strip():
                command = line.split()[0].upper()
                if command == "QUIT":
                    self.say("221 bye")
                    return
                if command == "DATA":
                    self.say("354 go on")
                    text = b"".join(iter(self.rfile.readline, b".\r\n"))
                    answer = found.answer("DATA")
                    if answer.startswith("2"):
                        message = message_from_bytes(text, policy=policy.default)
                        assert isinstance(message, EmailMessage)
                        found.received.append(message)
                    self.say(answer)
                else:
                    self.say(found.answer(command) if command == "RCPT" else "250 OK")

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler) as listening:
        listening.daemon_threads = True
        threading.Thread(target=listening.serve_forever, args=(0.05,), daemon=True).start()
        found.port = listening.server_address[1]
        settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
        settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", found.port
        settings.DEFAULT_FROM_EMAIL = "billing@taximeter.example"
        yield found
        listening.shutdown()


def ask(api: Api, key: str, to: str = "ap@acme.example") -> None:
    invoice = {
        "number": "INV-7",
        "currency": "EUR",
        "total": "10",
        "amount_due": "10",
        "due_at": "2026-12-01T00:00:00Z",
    }
    queue_mail(
        organization_id=api.organization.pk,
        kind="invoice_issued",
        to=[to],
        context={"customer": "Größe & Söhne", "invoice": invoice},
        key=key,
        at=NOON,
    )


def send(now: datetime = NOON) -> int:
    return send_mail(clock=lambda: now, seconds=20)


def test_mails_go_over_one_connection_in_text_and_html(api: Api, server: MailServer) -> None:
    for key in ("a", "b", "c"):
        ask(api, key)
    assert send() == 3
    assert server.connections == 1
    message = server.received[0]
    assert message["From"] == "Vendor <billing@taximeter.example>"
    assert message["Message-ID"].endswith("@taximeter.example>")
    text, html = message.get_body(("plain",)), message.get_body(("html",))
    assert text is not None
    assert html is not None
    assert "Hello Größe & Söhne," in text.get_content()
    assert "Größe &amp; Söhne" in html.get_content()


def test_a_server_that_is_not_ready_gets_the_same_mail_later(api: Api, server: MailServer) -> None:
    server.answers = {"DATA": ["451 greylisted, try again"]}
    ask(api, "a")
    ask(api, "b")
    assert send() == 1
    assert send(NOON + timedelta(minutes=2)) == 1
    assert len({one["Message-ID"] for one in server.received}) == 2


def test_a_receiver_whom_the_server_does_not_know_fails_at_once(api: Api, server: MailServer) -> None:
    server.answers = {"RCPT": ["550 no such user here"]}
    ask(api, "a", "gone@acme.example")
    assert send() == 0
    failed = Mail.objects.get()
    assert failed.status == "failed"
    assert "no such user here" in failed.last_error


def test_what_was_sent_but_not_noted_comes_again_under_the_same_id(api: Api, server: MailServer) -> None:
    ask(api, "a")
    send()
    Mail.objects.update(status="queued", sent_at=None)  # as if the sender had been killed before it wrote this down
    send()
    assert len(server.received) == 2
    assert len({one["Message-ID"] for one in server.received}) == 1
