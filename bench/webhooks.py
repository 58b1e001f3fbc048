"""How long webhooks take to a receiver that fails a third of the time: each delivered, in order per subject.

    python -m bench webhooks [DELIVERIES] [SENDERS]

Events of ten per subject are announced, then sent by SENDERS processes (one, unless said otherwise) as the worker does,
with retries after seconds in place of hours. The receiver is a process of its own: it verifies each signature with
`standardwebhooks`, notes every event that comes before the one ahead of it was accepted, and fails one request in
three, half of those by hanging up. Sender, database and receiver share this machine.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import subprocess
import sys
import time
from itertools import islice

from bench.setting import database
from launcher.paths import ROOT

PER_SUBJECT = 10
FAILING = 1 / 3
#: Seconds between attempts: what takes days in production, so that the last of them takes seconds.
SCHEDULE = (1, 1, 1, 2, 2, 3, 3, 3, 4, 4, 4, 5, 5, 5, 5, 5, 5, 5, 5, 5)
#: At most so long in all.
PATIENCE = 3600.0


def main(deliveries: int = 100_000, senders: int = 1) -> None:
    with database():
        from accounts.facade import create_organization  # noqa: PLC0415 - Django is set up only now
        from kernel.clock import system_clock  # noqa: PLC0415
        from notifications.models import DeliveryStatus, WebhookDelivery, WebhookEndpoint  # noqa: PLC0415
        from notifications.services.endpoints import create_endpoint  # noqa: PLC0415
        from notifications.services.secrets import reveal_secret  # noqa: PLC0415

        organization = create_organization(name="Bench")
        url = "http://127.0.0.1:1100/"
        endpoint = create_endpoint(organization_id=organization.pk, url=url, now=system_clock())
        with _receiver(reveal_secret(endpoint)) as receiver:
            assert receiver.stdout is not None
            port = int(receiver.stdout.readline())
            WebhookEndpoint.objects.update(url=f"http://127.0.0.1:{port}/hooks")
            began = time.monotonic()
            _announce(organization.pk, deliveries)
            announced = time.monotonic() - began
            _send(senders)
            spent = time.monotonic() - began - announced
            seen, _ = receiver.communicate()
        delivered = WebhookDelivery.objects.filter(status=DeliveryStatus.DELIVERED).count()
        _print(deliveries, senders, announced, spent, delivered, json.loads(seen))


def _receiver(secret: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "bench._webhook_receiver", secret, str(FAILING)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
    )


def _announce(organization_id: int, deliveries: int) -> None:
    from kernel.clock import system_clock  # noqa: PLC0415
    from notifications.facade import Announcement, announce  # noqa: PLC0415

    made = (
        Announcement(
            organization_id,
            "invoice.finalized",
            f"inv_{number % max(1, deliveries // PER_SUBJECT)}",
            {
                "subject": f"inv_{number % max(1, deliveries // PER_SUBJECT)}",
                "number": number // max(1, deliveries // PER_SUBJECT) + 1,
                "total": "1234.50",
                "currency": "EUR",
            },
            system_clock(),
        )
        for number in range(deliveries)
    )
    while some := list(islice(made, 1000)):
        announce(some)


def _send(senders: int) -> None:
    """Run the senders until nothing is open."""
    context = multiprocessing.get_context("spawn")
    others = [context.Process(target=send_until_done, args=(senders,)) for _ in range(senders - 1)]
    for other in others:
        other.start()
    send_until_done(senders)
    for other in others:
        other.join()


def send_until_done(senders: int) -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    import django  # noqa: PLC0415

    django.setup()
    from django.conf import settings  # noqa: PLC0415

    from kernel.clock import system_clock  # noqa: PLC0415
    from notifications.models import DeliveryStatus, WebhookDelivery, WebhookEvent  # noqa: PLC0415
    from notifications.sending.requests import Rules  # noqa: PLC0415
    from notifications.sending.webhooks import Terms, send_webhooks  # noqa: PLC0415

    terms = Terms(schedule=SCHEDULE, rules=Rules(True, settings.WEBHOOK_ALLOWED_NETWORKS))
    unfinished = WebhookDelivery.objects.filter(status__in=[DeliveryStatus.WAITING, DeliveryStatus.DUE])
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        if send_webhooks(terms=terms, clock=system_clock, seconds=20, senders=senders) == 0:
            if not unfinished.exists() and not WebhookEvent.objects.filter(is_distributed=False).exists():
                return
            time.sleep(0.1)


def _print(deliveries: int, senders: int, announced: float, spent: float, delivered: int, seen: dict[str, int]) -> None:
    requests = seen.get("requests", 0)
    print(f"  announced     {announced:8.1f} s, {deliveries / announced:,.0f} events a second")
    print(f"  delivered     {delivered:,} of {deliveries:,} in {spent:.1f} s by {senders} sender(s)")
    failed = 1 - seen.get("accepted", 0) / requests
    print(f"  requests      {requests:,}, {requests / spent:,.0f} a second, {failed:.1%} failed")
    print(f"  connections   {seen.get('connections', 0):,}")
    for what in ("wrong signatures", "out of order", "accepted twice"):
        print(f"  {what:<17}{seen.get(what, 0):,}")
    if delivered != deliveries or seen.get("out of order") or seen.get("wrong signatures"):
        sys.exit("not every event was delivered once, in order and signed")
