"""Taking back all that one sender sent, seen from the invoices: a preview of it, and the run that does it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from psycopg import sql

from accounts.facade import api_keys_of
from billing.invoicing.models import InvoiceStatus
from billing.models import InvoiceLine
from kernel.errors import NotFoundError
from kernel.period import Period
from metering.facade import SentEvents, SentQuestion, VoidRun, count_billed, sent_events, start_void_run, work_void_run

#: An invoice in one of these was sent: what it counted is only corrected by late usage or a credit note.
_ISSUED = (InvoiceStatus.FINALIZED, InvoiceStatus.PAID, InvoiceStatus.UNCOLLECTIBLE)

#: Transactions of a run that are worked at once, before the rest is left to a worker.
_AT_ONCE = 3

# Whether an invoice has a line of this price for the log's row `e`, whose rating could see it.
_HAS_LINE = """
EXISTS (
    SELECT FROM billing_invoiceline l JOIN billing_invoice i ON i.id = l.invoice_id
    JOIN billing_customer k ON k.id = i.customer_id JOIN billing_price p ON p.id = l.price_id
    WHERE l.meter_version_id = {version} AND p.filter = {filter}::jsonb AND i.organization_id = {organization}
      AND i.status = ANY({issued}) AND k.organization_id = {organization} AND k.key = e.subject
      AND e.time >= l.period_start AND e.time < l.period_end
      AND pg_visible_in_snapshot(e.xid, i.log_snapshot::pg_snapshot)
)
"""


class SenderNotFound(NotFoundError):
    code = "sender_not_found"


@dataclass(frozen=True, slots=True)
class VoidPreview:
    """What voiding a sender's events would do; `billed` of those not voided yet are counted by issued invoices."""

    sent: SentEvents
    billed: int


def preview_sender_void(*, organization_id: int, sent_by: str, received: Period) -> VoidPreview:
    """Summarize the events that `sent_by` sent and the server received in `received`; changes nothing.

    Raises `SenderNotFound`, `ArchiveUnavailable`.
    """
    question = SentQuestion(organization_id, sent_by, received)
    found = sent_events(question)
    _require_sender(organization_id, sent_by, found)
    return VoidPreview(found, count_billed(question, _lines(organization_id, found)))


def void_sent_by(*, organization_id: int, sent_by: str, received: Period, reason: str, now: datetime) -> VoidRun:
    """Begin to take back what `sent_by` sent, and finish at once where it is little; a worker does the rest.

    Asked again, it changes nothing. Raises `SenderNotFound`, `VoidRunActive`, `ArchiveUnavailable`.
    """
    if not api_keys_of(organization_id).filter(pk=sent_by).exists():
        _require_sender(organization_id, sent_by, sent_events(SentQuestion(organization_id, sent_by, received)))
    run = start_void_run(organization_id=organization_id, sent_by=sent_by, received=received, reason=reason, now=now)
    work_void_run(run_id=run.pk, now=now, batches=_AT_ONCE)
    run.refresh_from_db()
    return run


def _require_sender(organization_id: int, sent_by: str, found: SentEvents) -> None:
    """A misspelt sender must not look like one that sent nothing."""
    if not found.events and not api_keys_of(organization_id).filter(pk=sent_by).exists():
        raise SenderNotFound(f"There is no sender {sent_by!r}. Give the id of an API key")


def _lines(organization_id: int, found: SentEvents) -> list[tuple[int, Mapping[str, str], sql.Composable]]:
    """The kinds of usage lines that issued invoices have in the time of these events."""
    if found.first_time is None or found.last_time is None:
        return []
    kinds = (
        InvoiceLine.objects.filter(
            invoice__organization_id=organization_id,
            invoice__status__in=_ISSUED,
            meter_version__isnull=False,
            price__isnull=False,
            period_end__gt=found.first_time,
            period_start__lte=found.last_time,
        )
        .order_by("meter_version_id")
        .values_list("meter_version_id", "price__filter")
        .distinct()
    )
    return [(version, where, _has_line(organization_id, version, where)) for version, where in kinds if version]


def _has_line(organization_id: int, version: int, where: Mapping[str, str]) -> sql.Composable:
    return sql.SQL(_HAS_LINE).format(
        version=version,
        filter=sql.Literal(json.dumps(where)),
        organization=organization_id,
        issued=sql.Literal([str(one) for one in _ISSUED]),
    )
