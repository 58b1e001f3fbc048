from __future__ import annotations

from celery import shared_task

from accounts.services.sessions import delete_expired_sessions
from accounts.services.throttles import forget_old_tries
from kernel.clock import system_clock


@shared_task(name="accounts.prune_throttles")
def prune_throttles() -> int:
    """Delete counts of tries and uses that no longer matter."""
    return forget_old_tries(now=system_clock())


@shared_task(name="accounts.delete_expired_sessions")
def prune_sessions() -> int:
    """Delete sessions of the console that are over."""
    return delete_expired_sessions(now=system_clock())
