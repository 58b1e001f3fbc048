"""A small Stripe: it keeps state, speaks HTTP to the real `stripe` client, and misbehaves on request.

What it does is what docs.stripe.com says of payment intents, refunds, disputes, meter events, idempotency keys and
webhooks, as far as Taximeter uses them.
"""

from tests.collection.stripe_fake.faults import Fault
from tests.collection.stripe_fake.server import StripeFake

__all__ = ["Fault", "StripeFake"]
