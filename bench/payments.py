"""What collecting costs beside the provider: charges by the outbox, webhooks taken and handled, a night's comparison.

    python -m bench payments [PAYMENTS]

PAYMENTS invoices are finalized, each charged through the outbox at a small Stripe of the tests, which runs in this
process and answers at once: bare calls of the same client to it, one by one, are what the outbox is compared with.
Then each event comes twice, is taken by the door and handled, and both sides are compared. Times are medians, and that
of the processor is this process's, small Stripe and all but PostgreSQL: on a busy machine look at that.
"""

from __future__ import annotations

import logging
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from bench.setting import database

_BARE = 100


@dataclass
class Spent:
    """Seconds of one kind of work, each time it was done: by the clock, and of this process's processor."""

    clock: list[float] = field(default_factory=list)
    processor: list[float] = field(default_factory=list)

    def on(self, work: Callable[[], Any]) -> Any:
        """What `work` answers; how long that took is kept."""
        began, busy = time.monotonic(), time.process_time()
        answer = work()
        self.clock.append(time.monotonic() - began)
        self.processor.append(time.process_time() - busy)
        return answer

    def __str__(self) -> str:
        clock, busy = (statistics.median(each) * 1000 for each in (self.clock, self.processor))
        return f"{clock:.1f} ms, {busy:.1f} of the processor"


def main(payments: int = 200) -> None:
    with database():
        from django.conf import settings  # noqa: PLC0415 - Django is set up only now

        from tests.collection.stripe_fake import StripeFake  # noqa: PLC0415
        from tests.collection.vendor import make_vendor  # noqa: PLC0415

        logging.getLogger("stripe").setLevel(logging.WARNING)
        fake = StripeFake()
        settings.STRIPE_API_BASE = fake.address
        vendor = make_vendor(fake)
        customer = vendor.customer()
        bare = _bare(vendor.at_stripe(customer))
        print(f"a bare call of the client: {bare}")
        for _ in range(payments):
            vendor.invoice(customer)
        charged, queries = _charged(vendor, payments)
        ratio = statistics.median(charged.processor) / statistics.median(bare.processor)
        print(
            f"a charge by the outbox, its payment and postings: {charged} ({ratio:.1f} bare calls), {queries} queries"
        )
        later = vendor.now + timedelta(hours=1)
        print(f"an event taken by the door: {_taken(fake)}")
        print(f"an event handled: {_handled(later)}")
        _compare(vendor, later)
        fake.stop()


def _bare(customer: str) -> Spent:
    """One call that makes an object."""
    from collection.models import StripeAccount  # noqa: PLC0415
    from collection.providers.stripe_client import client_of  # noqa: PLC0415

    client, spent = client_of(StripeAccount.objects.get()), Spent()
    asked: Any = {"mode": "setup", "customer": customer, "currency": "usd"}
    for _ in range(_BARE):
        spent.on(lambda: client.v1.checkout.sessions.create(asked))
    return spent


def _charged(vendor: Any, payments: int) -> tuple[Spent, int]:
    """One charge, and how many queries the first of them was."""
    from django.db import connection  # noqa: PLC0415
    from django.test.utils import CaptureQueriesContext  # noqa: PLC0415

    from collection.services.outbox import make_due_calls  # noqa: PLC0415

    spent = Spent()
    with CaptureQueriesContext(connection) as queries:
        assert make_due_calls(now=vendor.now, limit=1) == 1
    while spent.on(lambda: make_due_calls(now=vendor.now, limit=1)):
        pass
    assert len(spent.clock) == payments, "each was charged once, and then there was none"
    return spent, len(queries)


def _taken(fake: Any) -> Spent:
    """One event at the door; each comes twice."""
    from django.test import Client  # noqa: PLC0415

    from collection.models import StripeAccount  # noqa: PLC0415

    address, door, spent = f"/webhooks/stripe/{StripeAccount.objects.get().webhook_token}", Client(), Spent()
    for event in [*fake.events, *fake.events]:
        body, signature = fake.signed(event)
        answer = spent.on(
            lambda body=body, signature=signature: door.post(
                address, body, content_type="application/json", headers={"stripe-signature": signature}
            )
        )
        assert answer.status_code == 200, answer.content
    return spent


def _handled(now: Any) -> Spent:
    """One event, by the worker."""
    from collection.services.events import handle_due_events  # noqa: PLC0415

    spent = Spent()
    while spent.on(lambda: handle_due_events(now=now, limit=1)):
        pass
    return spent


def _compare(vendor: Any, now: Any) -> None:
    from collection.services.reconciliation import reconcile  # noqa: PLC0415

    spent = Spent()
    run = spent.on(lambda: reconcile(organization_id=vendor.organization.pk, now=now))
    print(f"{run.compared} things compared, {run.open_differences} differences: {spent}")


if __name__ == "__main__":
    main()
