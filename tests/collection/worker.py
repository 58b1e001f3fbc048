"""A worker as a process of its own, to be killed: makes what calls are due and handles what events wait, once.

python -m tests.collection.worker <the database's address> <the fake Stripe's address> <now>
"""

from __future__ import annotations

import os
import sys


def main(database: str, stripe: str, now: str) -> None:
    os.environ |= {
        "DATABASE_URL": database,
        "REDIS_URL": "redis://127.0.0.1:1/0",
        "DJANGO_SETTINGS_MODULE": "config.settings",
        "TAXIMETER_ENV": "test",
        "TAXIMETER_STRIPE_API_BASE": stripe,
    }
    import django

    django.setup()

    from collection.services.events import handle_due_events
    from collection.services.outbox import make_due_calls
    from kernel.clock import parse_rfc3339

    make_due_calls(now=parse_rfc3339(now))
    handle_due_events(now=parse_rfc3339(now))


if __name__ == "__main__":
    main(*sys.argv[1:])
