"""What collecting costs beside the provider: charges by the outbox, webhooks taken and handled, a night's comparison.

    python -m bench payments [PAYMENTS]

PAYMENTS invoices are finalized, each charged through the outbox at a small Stripe of the tests, which runs in this
process and answers at once: bare calls of the same client to it, one by one, are what the outbox is compared with.
Then each event comes twice, is taken by the door and handled, and both sides are compared.
"""

from __future__ import annotations

import logging
import statistics
import time
from datetime import timedelta
from typing import Any

from bench.setting import database


def main(payments: int = 200) -> None:
    with database():
        from django.conf import settings  # noqa: PLC0415 - Django is set up only now
        from django.test import Client  # noqa: PLC0415

        from collection.models import StripeAccount  # noqa: PLC0415
        from collection.providers.stripe_client import client_of  # noqa: PLC0415
        from collection.services.events import handle_due_events  # noqa: PLC0415
        from collection.services.outbox import make_due_calls  # noqa: PLC0415
        from collection.services.reconciliation import reconcile  # noqa: PLC0415
        from tests.collection.stripe_fake import StripeFake  # noqa: PLC0415
        from tests.collection.vendor import make_vendor  # noqa: PLC0415

        logging.getLogger("stripe").setLevel(logging.WARNING)
        fake = StripeFake()
        settings.STRIPE_API_BASE = fake.address
        vendor = make_vendor(fake)
        own, customer = vendor.organization.pk, vendor.customer()
        bare = _bare(client_of(StripeAccount.objects.get()), vendor.at_stripe(customer))
        for _ in range(payments):
            vendor.invoice(customer)
        began = time.monotonic()
        while make_due_calls(now=vendor.now, limit=50):
            pass
        charged = (time.monotonic() - began) / payments
        token = StripeAccount.objects.get().webhook_token
        door, spent = Client(), []
        for event in [*fake.events, *fake.events]:
            body, signature = fake.signed(event)
            started = time.monotonic()
            headers: Any = {"stripe-signature": signature}
            answer = door.post(f"/webhooks/stripe/{token}", body, content_type="application/json", headers=headers)
            spent.append(time.monotonic() - started)
            assert answer.status_code == 200, answer.content
        began, handled, now = time.monotonic(), 0, vendor.now + timedelta(hours=1)
        while found := handle_due_events(now=now):
            handled += found
        handling = (time.monotonic() - began) / handled
        began = time.monotonic()
        run = reconcile(organization_id=own, now=now)
        compared = time.monotonic() - began
        assert run is not None
        fake.stop()
        print(f"a bare call of the client: {bare * 1000:.1f} ms")
        ratio, door_ms = charged / bare, statistics.median(spent) * 1000
        print(f"a charge by the outbox, with its payment and postings: {charged * 1000:.1f} ms ({ratio:.1f} times)")
        print(f"an event taken by the door: median {door_ms:.1f} ms; handled: {handling * 1000:.1f} ms")
        print(f"{run.compared} things compared in {compared:.1f} s, {run.open_differences} differences")


def _bare(client: Any, customer: str, calls: int = 100) -> float:
    """Seconds of one call that makes an object, of many one by one."""
    asked = {"mode": "setup", "customer": customer, "currency": "usd"}
    began = time.monotonic()
    for _ in range(calls):
        client.v1.checkout.sessions.create(asked)
    return (time.monotonic() - began) / calls


if __name__ == "__main__":
    main()
