"""What the FOCUS files are made from: a month's invoices and credit notes, some at a time, and whose usage it was."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from django.db.models import Prefetch, QuerySet

from billing.facade import CreditNote, CreditNoteLine, Invoice, InvoiceLine, InvoiceStatus, credit_notes_of, invoices_of
from exports.kinds.focus.charges import Share
from exports.tables import Selection
from kernel.period import Period
from metering.facade import MeterVersion, UsageQuestion, definition_of, usage_of_version

#: Invoices, with their lines, held in memory at once.
_AT_ONCE = 200

#: Aggregations whose parts add up to the whole.
_ADDITIVE = frozenset({"sum", "count"})

_ATTRIBUTED = ("agent", "model")


class _Asked(NamedTuple):
    version: int
    where: str
    period: Period


def invoices(selection: Selection) -> Iterator[list[Invoice]]:
    """The month's invoices in order; those that were skipped are sent to nobody."""
    lines = InvoiceLine.objects.select_related(
        "price__plan_version__plan", "price__meter", "meter_version", "adjusts__invoice"
    ).order_by("position")
    found = (
        invoices_of(selection.organization.pk, month=selection.month, customer=selection.customer)
        .exclude(status=InvoiceStatus.SKIPPED)
        .prefetch_related(None)
        .prefetch_related(Prefetch("lines", queryset=lines))
        .order_by("created_at", "number", "id")
    )
    yield from _some(found)


def credit_notes(selection: Selection) -> QuerySet[CreditNote]:
    """What was issued in the month, in UTC."""
    period = selection.month.period(ZoneInfo("UTC"))
    found = credit_notes_of(selection.organization.pk).filter(issued_at__gte=period.start, issued_at__lt=period.end)
    return found.filter(invoice__customer__key=selection.customer) if selection.customer else found


def notes_with_lines(selection: Selection) -> Iterator[list[CreditNote]]:
    lines = CreditNoteLine.objects.select_related(
        "line__price__plan_version__plan",
        "line__price__meter",
        "line__meter_version",
        "line__invoice__subscription__plan_version__plan",
    ).order_by("id")
    yield from _some(
        credit_notes(selection)
        .prefetch_related(None)
        .prefetch_related(Prefetch("lines", queryset=lines))
        .order_by("id")
    )


def _some(found: QuerySet[Any]) -> Iterator[list[Any]]:
    each = found.iterator(chunk_size=_AT_ONCE)
    while some := list(islice(each, _AT_ONCE)):
        yield some


def shares_of(some: Sequence[Invoice]) -> dict[str, list[Share]]:
    """Whose usage lines counted, by the line's id: one question for all lines of a meter, filter and period.

    Asked now, so that usage which came after an invoice makes its shares come to another quantity; such a line is
    left whole.
    """
    asked: dict[_Asked, list[tuple[str, str]]] = defaultdict(list)
    for invoice in some:
        for line in invoice.lines.all():
            if line.meter_version_id and line.role == "charge" and line.quantity:
                where = json.dumps(line.price.filter, sort_keys=True) if line.price else "{}"
                period = Period(line.period_start, line.period_end)
                asked[_Asked(line.meter_version_id, where, period)].append((invoice.customer.key, line.pk))
    versions = MeterVersion.objects.select_related("meter").in_bulk({one.version for one in asked})
    found: dict[str, list[Share]] = {}
    for question, lines in asked.items():
        by_customer = _by_customer(versions[question.version], question, [key for key, _ in lines])
        for customer, line_id in lines:
            found[line_id] = by_customer.get(customer, [])
    return found


def _by_customer(version: MeterVersion, asked: _Asked, customers: Sequence[str]) -> dict[str, list[Share]]:
    definition = definition_of(version)
    names = tuple(name for name in _ATTRIBUTED if name in definition.dimension_names)
    if not names or definition.aggregation not in _ADDITIVE:
        return {}
    question = UsageQuestion(
        organization_id=version.meter.organization_id,
        meter=version.meter.key,
        period=asked.period,
        by_customer=True,
        customers=tuple(sorted(set(customers))),
        group_by=names,
        where=json.loads(asked.where),
    )
    found: dict[str, list[Share]] = defaultdict(list)
    for row in usage_of_version(version, question):
        found[str(row.customer)].append(Share(row.group.get("agent"), row.group.get("model"), row.quantity))
    return found
