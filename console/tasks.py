from __future__ import annotations

from celery import shared_task

from console.heartbeat import leave_heartbeat
from kernel.clock import system_clock


@shared_task(name="console.leave_heartbeat")
def leave_pulse() -> None:
    """Show that the schedule asks and a worker answers."""
    leave_heartbeat(now=system_clock())
