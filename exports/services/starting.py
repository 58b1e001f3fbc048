"""Asking for an export."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from django.db import transaction

from accounts.facade import Organization, record_audit
from billing.facade import InvoiceStatus, get_customer
from exports.errors import FilterNotApplicable, FormatInvalid, KindInvalid
from exports.formats import FORMATS
from exports.kinds import KINDS
from exports.models import Export, ExportProgress, ExportSchedule
from kernel.errors import InvalidError
from kernel.period import Month


def start_export(
    *,
    organization: Organization,
    kinds: Sequence[str],
    month: Month,
    format: str,
    now: datetime,
    customer: str | None = None,
    status: str | None = None,
    mail_to: Sequence[str] = (),
    created_by: str = "",
    schedule: ExportSchedule | None = None,
) -> Export:
    """An export to be worked on. `customer` is a key or an id, `status` that of invoices.

    Raises `KindInvalid`, `FormatInvalid`, `FilterNotApplicable`, `NotFoundError` for the customer.
    """
    check_what(kinds, format)
    if status is not None:
        if status not in InvoiceStatus.values:
            raise InvalidError(f"status is one of {', '.join(InvoiceStatus.values)}", code="status_invalid")
        without = [kind for kind in kinds if not KINDS[kind].by_status]
        if without:
            raise FilterNotApplicable(f"{without[0]} have no status to select by")
    key = get_customer(organization_id=organization.pk, customer=customer).key if customer else ""
    with transaction.atomic():
        export = Export.objects.create(
            organization=organization,
            schedule=schedule,
            kinds=list(kinds),
            format=format,
            month=str(month),
            customer=key,
            invoice_status=status or "",
            mail_to=list(mail_to),
            created_by=created_by,
            created_at=now,
        )
        ExportProgress.objects.create(export=export)
        record_audit(
            organization_id=organization.pk,
            action="export.start",
            target=export.pk,
            kinds=export.kinds,
            format=format,
            month=str(month),
            **({"customer": key} if key else {}),
            **({"schedule": schedule.pk} if schedule else {}),
        )
    return export


def check_what(kinds: Sequence[str], format: str) -> None:
    """Raises `KindInvalid` and `FormatInvalid`."""
    if not kinds or len(set(kinds)) != len(kinds) or any(kind not in KINDS for kind in kinds):
        raise KindInvalid(f"Name one or several, each once, of {', '.join(KINDS)}")
    if format not in FORMATS:
        raise FormatInvalid(f"format is one of {', '.join(FORMATS)}")
