"""Exports that start by themselves every month. What is due is found in the database, however long nobody looked."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

from django.db import IntegrityError, transaction

from accounts.facade import Organization, record_audit, record_change
from billing.facade import Invoice, InvoiceStatus, runs_of
from exports.errors import ScheduleInvalid
from exports.models import Export, ExportSchedule, Trigger
from exports.services.starting import check_what, start_export
from kernel.period import Month
from notifications.facade import is_address

_UTC = ZoneInfo("UTC")


def create_schedule(
    *,
    organization: Organization,
    kinds: Sequence[str],
    format: str,
    now: datetime,
    day: int | None = None,
    mail_to: Sequence[str] = (),
    first_month: Month | None = None,
) -> ExportSchedule:
    """A schedule that exports every month from `first_month` (the present one) on: on `day` of the next month, or
    without one as soon as the month is closed. Raises `KindInvalid`, `FormatInvalid`, `ScheduleInvalid`."""
    _check(kinds, format, day, mail_to)
    with transaction.atomic():
        schedule = ExportSchedule.objects.create(
            organization=organization,
            kinds=list(kinds),
            format=format,
            trigger=Trigger.AFTER_CLOSE if day is None else Trigger.DAY,
            day=day,
            mail_to=list(mail_to),
            first_month=str(first_month or Month.of(now, _UTC)),
            created_at=now,
        )
        record_audit(
            organization_id=organization.pk,
            action="export_schedule.create",
            target=schedule.pk,
            first_month=schedule.first_month,
            **_written(schedule),
        )
    return schedule


def change_schedule(
    *,
    schedule: ExportSchedule,
    kinds: Sequence[str],
    format: str,
    day: int | None,
    mail_to: Sequence[str],
    active: bool,
) -> ExportSchedule:
    """The schedule as it is from now on; what it has exported stays. Raises as `create_schedule`."""
    _check(kinds, format, day, mail_to)
    before = _written(schedule)
    schedule.kinds, schedule.format, schedule.mail_to, schedule.active = list(kinds), format, list(mail_to), active
    schedule.trigger, schedule.day = Trigger.AFTER_CLOSE if day is None else Trigger.DAY, day
    with transaction.atomic():
        schedule.save()
        record_change(
            organization_id=schedule.organization_id,
            action="export_schedule.change",
            target=schedule.pk,
            before=before,
            after=_written(schedule),
        )
    return schedule


def _written(schedule: ExportSchedule) -> dict[str, Any]:
    """What people choose, as the audit trail keeps it."""
    return {name: getattr(schedule, name) for name in ("kinds", "format", "day", "mail_to", "active")}


def _check(kinds: Sequence[str], format: str, day: int | None, mail_to: Sequence[str]) -> None:
    check_what(kinds, format)
    if day is not None and not 1 <= day <= 28:
        raise ScheduleInvalid("day is one that every month has: 1 to 28")
    if wrong := [address for address in mail_to if not is_address(address)]:
        raise ScheduleInvalid(f"{wrong[0]!r} is no e-mail address")


def start_due_exports(*, now: datetime) -> list[Export]:
    """Start what is due and was not started: every month that is over, in order, each once."""
    started = []
    for schedule in ExportSchedule.objects.filter(active=True).select_related("organization").order_by("id"):
        exported = set(schedule.exports.values_list("month", flat=True))
        for month in _months_over(schedule, now):
            if str(month) not in exported and _is_due(schedule, month, now):
                started += _start(schedule, month, now)
    return started


def _months_over(schedule: ExportSchedule, now: datetime) -> Iterator[Month]:
    month, present = Month.parse(schedule.first_month), Month.of(now, _UTC)
    while month < present:
        yield month
        month = month.next()


def _is_due(schedule: ExportSchedule, month: Month, now: datetime) -> bool:
    if schedule.day is not None:
        following = month.next()
        return now >= datetime(following.year, following.month, schedule.day, tzinfo=UTC)
    closed = runs_of(schedule.organization_id).filter(month=str(month), status="succeeded").exists()
    drafts = Invoice.objects.filter(
        organization_id=schedule.organization_id, month=str(month), status=InvoiceStatus.DRAFT
    )
    return closed and not drafts.exists()


def _start(schedule: ExportSchedule, month: Month, now: datetime) -> list[Export]:
    try:
        with transaction.atomic():
            return [
                start_export(
                    organization=schedule.organization,
                    kinds=schedule.kinds,
                    month=month,
                    format=schedule.format,
                    now=now,
                    mail_to=schedule.mail_to,
                    created_by=schedule.pk,
                    schedule=schedule,
                )
            ]
    except IntegrityError:
        return []  # another look was faster
