"""The events that one sender sent: how many, whose, and what meters make of them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.db import connection
from psycopg import sql

from kernel.period import Period
from metering.archive.recall import Rows, ask, everything
from metering.archive.selection import Selection
from metering.compiler import COMBINE, Fragment, compile_meter, json_text
from metering.domain.meters import MeterDefinition
from metering.models import MeterVersion
from metering.queries.meters import current_versions, definition_of

_GROUPS = """
SELECT COUNT(*), COUNT(c.id), e.type, e.subject, MIN(e.received_at), MAX(e.received_at), MIN(e.time), MAX(e.time)
FROM {log} e LEFT JOIN metering_eventcorrection c ON c.event_id = e.identity WHERE {where} GROUP BY e.type, e.subject
"""
_QUARANTINED = """
SELECT COUNT(*), COUNT(*) FILTER (WHERE e.state = 'discarded'), e.type, e.subject, MIN(e.received_at),
       MAX(e.received_at), MIN(e.time), MAX(e.time)
FROM metering_quarantinedevent e WHERE {where} AND e.state <> 'released' GROUP BY e.type, e.subject
"""
_QUANTITY = """
SELECT COUNT(*), {combine} FROM (
    SELECT e.time AS at, e.identity AS tie, {value} AS value, 1::bigint AS events, {quantity} AS quantity
    FROM {log} e LEFT JOIN metering_eventcorrection c ON c.event_id = e.identity
    WHERE {where} AND c.id IS NULL AND {condition}
) counted
"""
_BILLED = """
SELECT COUNT(*) FROM {log} e LEFT JOIN metering_eventcorrection c ON c.event_id = e.identity
WHERE {where} AND c.id IS NULL AND ({billed})
"""


@dataclass(frozen=True, slots=True)
class SentQuestion:
    """The events of an organization that `sent_by` sent and the server received in `received`, a half-open period."""

    organization_id: int
    sent_by: str
    received: Period


@dataclass(frozen=True, slots=True)
class MeterShare:
    """A meter's aggregation over the events that are not voided yet. Of a sum or a count, usage falls by `quantity`."""

    meter: str
    unit: str
    aggregation: str
    events: int
    quantity: Decimal | None


@dataclass(frozen=True, slots=True)
class SentEvents:
    """A summary of a sender's events, in the log and in quarantine. `voided` of `events` are taken back or discarded
    already; the two lists and the meters count those that are not, by customer's key (None: no customer) and by type,
    most first. `quarantined` of those wait in quarantine; no meter counts them."""

    events: int
    voided: int
    quarantined: int
    first_received_at: datetime | None
    last_received_at: datetime | None
    first_time: datetime | None
    last_time: datetime | None
    customers: tuple[tuple[str | None, int], ...]
    types: tuple[tuple[str, int], ...]
    meters: tuple[MeterShare, ...]


def sent_events(question: SentQuestion) -> SentEvents:
    """Summarize a sender's events, in the log, in archives and in quarantine. Raises `ArchiveUnavailable`."""
    # First what is in quarantine: an event released meanwhile is seen twice, and not never.
    held = _held(question)
    rows = [*held, *_ask(question, lambda log: sql.SQL(_GROUPS).format(log=log, where=_where(question)))]
    by_customer, by_type = defaultdict[str | None, int](int), defaultdict[str, int](int)
    for events, voided, type_, subject, *_ in rows:
        by_customer[subject] += events - voided
        by_type[type_] += events - voided
    return SentEvents(
        events=sum(row[0] for row in rows),
        voided=sum(row[1] for row in rows),
        quarantined=sum(row[0] - row[1] for row in held),
        first_received_at=min((row[4] for row in rows), default=None),
        last_received_at=max((row[5] for row in rows), default=None),
        first_time=min((row[6] for row in rows), default=None),
        last_time=max((row[7] for row in rows), default=None),
        customers=_most_first(by_customer),
        types=_most_first(by_type),
        meters=_shares(question, {type_ for type_, count in by_type.items() if count}),
    )


def count_billed(question: SentQuestion, lines: Sequence[tuple[int, Mapping[str, str], Fragment]]) -> int:
    """How many of a sender's events, not voided yet, some line of an invoice has counted.

    Each of `lines` is a meter version, the dimensions that a price fixes, and SQL over the log's row `e` that is true
    where an invoice has such a line for it. Raises `ArchiveUnavailable`.
    """
    if not lines:
        return 0
    versions = MeterVersion.objects.select_related("meter").in_bulk([version for version, *_ in lines])
    billed = []
    for version, where, has_line in lines:
        definition = definition_of(versions[version])
        paths = dict(definition.dimensions)
        fixed = [sql.SQL("{} = {}").format(json_text(paths[n]), sql.Literal(value)) for n, value in where.items()]
        billed.append(_all([compile_meter(definition).condition, *fixed, has_line]))
    counted = sql.SQL(" OR ").join(billed)
    [(events,)] = _ask(question, lambda log: sql.SQL(_BILLED).format(log=log, where=_where(question), billed=counted))
    return int(events)


def sent_selection(question: SentQuestion) -> Selection:
    """The sender's events in archives."""
    return Selection(question.organization_id, sent_by=question.sent_by, received=question.received)


def _held(question: SentQuestion) -> Rows:
    with connection.cursor() as cursor:
        cursor.execute(sql.SQL(_QUARANTINED).format(where=_where(question)).as_string(cursor.connection))
        return list(cursor.fetchall())


def _shares(question: SentQuestion, types: set[str]) -> tuple[MeterShare, ...]:
    shares = []
    of_organization = current_versions().filter(meter__organization_id=question.organization_id).order_by("meter_id")
    for version in of_organization:
        definition = definition_of(version)
        if definition.event_type not in types:
            continue
        events, quantity = _quantity(question, definition)
        if events:
            shares.append(MeterShare(version.meter.key, version.meter.unit, definition.aggregation, events, quantity))
    return tuple(shares)


def _quantity(question: SentQuestion, definition: MeterDefinition) -> tuple[int, Decimal | None]:
    meter, is_distinct = compile_meter(definition), definition.aggregation == "unique_count"

    def statement(log: Fragment) -> sql.Composed:
        return sql.SQL(_QUANTITY).format(
            combine=sql.SQL("COUNT(DISTINCT value)") if is_distinct else COMBINE[definition.aggregation],
            value=meter.value,
            quantity=meter.quantity,
            log=log,
            where=_where(question),
            condition=meter.condition,
        )

    [(events, quantity)] = _ask(question, statement)
    return int(events), None if quantity is None else Decimal(quantity)


def _ask(question: SentQuestion, statement: Callable[[Fragment], sql.Composable]) -> Rows:
    """The rows of a statement over the log and all archives: an event received in a period may have any time."""
    plan = everything(sent_selection(question))
    return ask(statement, organization_id=question.organization_id, period=None, plan=plan)


def _where(question: SentQuestion) -> Fragment:
    return sql.SQL(
        "e.organization_id = {} AND e.sent_by = {}"
        " AND e.received_at >= {}::timestamptz AND e.received_at < {}::timestamptz"
    ).format(
        question.organization_id,
        sql.Literal(question.sent_by),
        sql.Literal(question.received.start),
        sql.Literal(question.received.end),
    )


def _all(conditions: Sequence[Fragment]) -> Fragment:
    return sql.SQL("({})").format(sql.SQL(" AND ").join(conditions))


def _most_first(counts: Mapping[Any, int]) -> tuple[tuple[Any, int], ...]:
    return tuple(sorted(((k, n) for k, n in counts.items() if n), key=lambda one: (-one[1], str(one[0] or ""))))
