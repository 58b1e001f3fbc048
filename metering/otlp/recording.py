"""Recording the spans of a request, and the report of what became of each of them."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from metering.contracts import IngestResult, Quarantined
from metering.decoding import MAX_EVENTS
from metering.domain.otel import Event, Mapped, SpanRefusal, map_spans
from metering.domain.otel_logs import Record, map_records
from metering.domain.otel_spans import Span
from metering.otlp.own_calls import metered_calls
from metering.services.ingest import ingest

logger = logging.getLogger("metering")

_IGNORED = {
    "not_genai": "are no GenAI operations",
    "no_unit": "are steps that no unit of agent activity is made of",
    "metered": "are calls that this server answered and counted itself",
    "no_agent": "are of no coding agent that is known here",
    "operation_unknown": "are operations that are not known here and name no model with tokens",
    "unanswered": "are agents within a task that failed before a model answered",
}
_WARNINGS = {
    "customer_missing": "name no customer (taximeter.customer, customer.id or X-Customer); their usage is nobody's",
    "tokens_missing": "are model calls without token counts",
    "tokens_exclusive": "give input tokens without the cached ones, which were added",
}
_SHOWN_REFUSALS = 5


@dataclass(frozen=True, slots=True)
class Report:
    """What became of a request's spans or log records. `message` is "" where there is nothing to say."""

    rejected: int
    message: str


def record_spans(
    *,
    organization_id: int,
    spans: Sequence[Span],
    customer: str | None,
    received_at: datetime,
    only_customer: str | None = None,
) -> Report:
    """Write the events of `spans` to the log; `customer` is for spans that name none. With `only_customer`, those of
    others are refused.

    When this returns, they are committed and count. Where it raises, some may be: sent again, those are duplicates.
    """
    metered = metered_calls(organization_id=organization_id, spans=spans)
    mapped = map_spans(spans, customer=customer, metered=metered)
    ids = [span.span_id for span in spans]
    return _record(organization_id, mapped, "span", ids, received_at=received_at, only_customer=only_customer)


def record_logs(
    *,
    organization_id: int,
    records: Sequence[Record],
    customer: str | None,
    received_at: datetime,
    only_customer: str | None = None,
) -> Report:
    """The same for log records of coding agents."""
    mapped = map_records(records, customer=customer)
    names = [record.name for record in records]
    return _record(organization_id, mapped, "record", names, received_at=received_at, only_customer=only_customer)


def _record(
    organization_id: int,
    mapped: Mapped,
    what: str,
    ids: Sequence[str],
    *,
    received_at: datetime,
    only_customer: str | None,
) -> Report:
    refused = {refusal.index: refusal for refusal in mapped.refused}
    quarantined: list[Quarantined] = []
    for start in range(0, len(mapped.events), MAX_EVENTS):
        part = mapped.events[start : start + MAX_EVENTS]
        result = ingest(
            organization_id=organization_id,
            events=[event for _, event in part],
            received_at=received_at,
            only_customer=only_customer,
            sent_once=True,
        )
        quarantined += result.quarantined or []
        for refusal in _refusals(result, part, ids):
            refused.setdefault(refusal.index, refusal)
    if refused:
        codes = _codes(list(refused.values()))
        logger.warning("%d of %d OTLP %ss were refused: %s", len(refused), len(ids), what, codes)
    return Report(
        rejected=len(refused),
        message=". ".join(
            [
                *_quarantine(quarantined, what),
                *_messages(list(refused.values()), mapped, what, total=len(ids)),
            ]
        ),
    )


def _refusals(result: IngestResult, events: Sequence[tuple[int, Event]], ids: Sequence[str]) -> list[SpanRefusal]:
    """The log's refusals of events, as refusals of the spans or records they were made of."""
    found = []
    for rejection in result.rejected:
        index, _ = events[rejection.index]
        found.append(SpanRefusal(index, ids[index], rejection.code, rejection.detail))
    return found


def _quarantine(events: Sequence[Quarantined], what: str) -> list[str]:
    if not events:
        return []
    logger.warning("%d events of OTLP %ss are in quarantine: %s", len(events), what, _codes(events))
    shown = "; ".join(f"event {one.id}: {one.detail}" for one in events[:_SHOWN_REFUSALS])
    return [f"{len(events)} events are in quarantine and count once they are released ({_codes(events)}): {shown}"]


def _codes(refusals: Sequence[SpanRefusal] | Sequence[Quarantined]) -> str:
    counts = Counter(refusal.code for refusal in refusals)
    return ", ".join(f"{code}: {number}" for code, number in sorted(counts.items()))


def _messages(refused: Sequence[SpanRefusal], mapped: Mapped, what: str, *, total: int) -> list[str]:
    parts = []
    if refused:
        shown = "; ".join(f"{what} {r.span_id or '?'}: {r.detail}" for r in refused[:_SHOWN_REFUSALS])
        parts.append(f"{len(refused)} of {total} {what}s were refused ({_codes(refused)}): {shown}")
    for counts, texts in ((mapped.ignored, _IGNORED), (mapped.warnings, _WARNINGS)):
        parts += [f"{counts[code]} of {total} {what}s {text}" for code, text in texts.items() if counts[code]]
    return parts
