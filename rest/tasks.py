from __future__ import annotations

from celery import shared_task

from kernel.clock import system_clock
from rest.idempotency import forget_old_keys


@shared_task(name="rest.prune_idempotency_keys")
def prune_idempotency_keys() -> int:
    """Delete answers that are kept for repeated requests no longer; return how many."""
    return forget_old_keys(now=system_clock())
