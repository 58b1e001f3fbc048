from __future__ import annotations

from celery import shared_task

from exports.services.delivery import deliver_export, exports_to_deliver
from exports.services.removing import remove_expired
from exports.services.schedules import start_due_exports
from exports.services.targets import configured_target
from exports.services.working import exports_to_work
from exports.services.working import work_export as work
from kernel.clock import system_clock


@shared_task(name="exports.work_export")
def work_export(*, export_id: str) -> None:
    """Write an export's files, unless another worker is at it."""
    work(export_id=export_id, now=system_clock())


@shared_task(name="exports.deliver_export")
def deliver(*, export_id: str) -> None:
    """Put an export's files where scheduled ones go."""
    deliver_export(export_id=export_id, target=configured_target(), now=system_clock())


@shared_task(name="exports.look")
def look() -> int:
    """Find what is due: schedules, exports that nobody works on, deliveries, files whose time is over."""
    now = system_clock()
    start_due_exports(now=now)
    found = exports_to_work()
    for export_id in found:
        work_export.delay(export_id=export_id)
    for export_id in exports_to_deliver(now):
        deliver.delay(export_id=export_id)
    remove_expired(now=now)
    return len(found)
