"""Senders that are killed in the middle of their work."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import threading
import time
from collections import defaultdict
from collections.abc import Iterable
from datetime import timedelta

import pytest
from django.db import connection

from kernel.clock import system_clock
from launcher.paths import ROOT
from notifications.facade import Announcement, announce, create_endpoint
from notifications.models import DeliveryStatus, WebhookDelivery
from notifications.sending.webhooks import send_webhooks
from tests.api import make_api
from tests.notifications.conftest import Post, Received, Receiver

SUBJECTS, EACH = 12, 6

_SENDER = """
import sys
from datetime import timedelta
import django
django.setup()
from kernel.clock import system_clock
from notifications.sending.requests import Rules
from notifications.sending.webhooks import Terms, send_webhooks
from django.conf import settings
terms = Terms(schedule=(0,) * 30, rules=Rules(True, settings.WEBHOOK_ALLOWED_NETWORKS), at_once=8)
later = timedelta(seconds=int(sys.argv[1]))
send_webhooks(terms=terms, clock=lambda: system_clock() + later, seconds=60, senders=int(sys.argv[2]))
"""


def start_sender(seconds_later: int = 0, *, senders: int = 1) -> subprocess.Popen[bytes]:
    """A process that sends, by a clock that is ahead: what a killed one before it had taken is free by then."""
    settings = connection.settings_dict
    address = os.environ["DATABASE_URL"].rsplit("/", 1)
    tail = address[1].partition("?")
    url = f"{address[0]}/{settings['NAME']}{tail[1]}{tail[2]}"
    environment = {**os.environ, "DATABASE_URL": url, "PYTHONPATH": f"{ROOT}:{ROOT / 'sdk' / 'src'}"}
    return subprocess.Popen(
        [sys.executable, "-c", _SENDER, str(seconds_later), str(senders)], env=environment, cwd=ROOT
    )


def announce_all(post: Post, receiver: Receiver) -> None:
    """`EACH` events of each subject to the receiver."""
    create_endpoint(organization_id=post.organization_id, url=receiver.url, now=system_clock())
    announce(
        [
            Announcement(post.organization_id, "invoice.paid", f"inv_{s}", {"number": n, "subject": s}, system_clock())
            for n in range(EACH)
            for s in range(SUBJECTS)
        ]
    )


def assert_in_order(came: Iterable[Received]) -> None:
    """Each subject's events came in their order, one perhaps several times, and nothing before its turn."""
    numbers: dict[int, list[int]] = defaultdict(list)
    for one in came:
        numbers[one.payload["data"]["subject"]].append(one.number)
    assert len(numbers) == SUBJECTS
    for of_subject in numbers.values():
        assert of_subject == sorted(of_subject)
        assert set(of_subject) == set(range(EACH))


@pytest.mark.django_db(transaction=True)
def test_senders_killed_again_and_again_lose_nothing_and_keep_the_order(receiver: Receiver) -> None:
    post = Post(make_api("Killed"))
    announce_all(post, receiver)

    def slowly(_: object) -> tuple[int, dict[str, str], bytes]:
        time.sleep(0.1)
        return 204, {}, b""

    receiver.answer = slowly
    for kill in range(2):
        before = len(receiver.received)
        sender = start_sender(kill * 120)
        end = time.monotonic() + 60
        while len(receiver.received) < before + 10 and time.monotonic() < end:
            time.sleep(0.01)
        sender.kill()
        sender.wait()
    assert 20 <= len(receiver.received) < SUBJECTS * EACH
    ahead = timedelta(seconds=600)
    assert send_webhooks(terms=post.terms, clock=lambda: system_clock() + ahead, seconds=60) > 0
    assert set(WebhookDelivery.objects.values_list("status", flat=True)) == {DeliveryStatus.DELIVERED}
    assert_in_order(receiver.received)


@pytest.mark.django_db(transaction=True)
def test_two_senders_at_once_keep_the_order_of_a_receiver_that_fails_a_third_of_the_time(receiver: Receiver) -> None:
    post, accepted, lock = Post(make_api("Two")), list[Received](), threading.Lock()

    def answer(one: Received) -> tuple[int, dict[str, str], bytes]:
        with lock:
            if random.random() < 1 / 3:
                return 503, {}, b""
            accepted.append(one)
            return 204, {}, b""

    receiver.answer = answer
    announce_all(post, receiver)
    for sender in [start_sender(senders=2), start_sender(senders=2)]:
        assert sender.wait(timeout=60) == 0
    assert set(WebhookDelivery.objects.values_list("status", flat=True)) == {DeliveryStatus.DELIVERED}
    assert_in_order(receiver.received)
    assert len(accepted) == len({one.headers["webhook-id"] for one in accepted}) == SUBJECTS * EACH
