"""OpenTelemetry: a span processor that turns GenAI spans into usage events, whichever library makes them.

provider = TracerProvider(resource=Resource.create({"service.name": "support"}))
provider.add_span_processor(TaximeterSpanProcessor(meter, customer="acme"))
"""

from __future__ import annotations

import logging
import threading
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from opentelemetry.context import Context
from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor
from opentelemetry.sdk.trace import Span as SdkSpan
from opentelemetry.trace import StatusCode, format_span_id, format_trace_id

from taximeter.context import current_task, current_turn
from taximeter.integrations import otel_aliases as aliases
from taximeter.integrations.model_calls import Named, asked
from taximeter.integrations.otel_events import events_of
from taximeter.integrations.otel_spans import UNKNOWN, Span, SpanRefused, is_agentic, kind_of, readable
from taximeter.meter import Meter

logger = logging.getLogger("taximeter")

_Key = tuple[int, int]


@dataclass(frozen=True)
class _Node:
    """A span that has begun, with those above it.

    `is_whole`: whether all that is above it is known here. `is_in_task`: whether it began in a task's block.
    """

    span: ReadableSpan
    above: _Node | None
    is_whole: bool
    is_in_task: bool


class TaximeterSpanProcessor(SpanProcessor):
    """Hands the events of each GenAI span that ends to `meter`: the same events, with the same identities, as the
    server's `POST /v1/traces` makes of that span. What it reads of a span is in `otel_aliases`; content is not.

    `customer` is for spans that name none (`taximeter.customer`, `customer.id`): a key, or a function that tells it
    when a span ends. In the block of a `meter.task` spans are given that task's customer, subscription, agent and
    id as `taximeter.*` attributes when they begin, so that exporters carry them too; there an agent's span is a turn.

    `refused` counts the GenAI spans that could become no event, by the reason's code.
    """

    def __init__(self, meter: Meter, *, customer: Named = None) -> None:
        self.refused: Counter[str] = Counter()
        self._meter = meter
        self._customer = customer
        self._open: dict[_Key, _Node] = {}
        self._lock = threading.Lock()

    def on_start(self, span: SdkSpan, parent_context: Context | None = None) -> None:
        is_in_task = _stamp(span)
        parent = span.parent
        with self._lock:
            above = None if parent is None or parent.is_remote else self._open.get((parent.trace_id, parent.span_id))
            is_whole = parent is None or (above is not None and above.is_whole)
            self._open[_key(span)] = _Node(span, above, is_whole, is_in_task)

    def on_end(self, span: ReadableSpan) -> None:
        with self._lock:
            node = self._open.pop(_key(span), None)
        try:
            self._record(span, node)
        except SpanRefused as refusal:
            self.refused[refusal.code] += 1
            logger.warning("span %s is not counted (%s): %s", span.name, refusal.code, refusal)
        except Exception:  # the work that was traced goes on
            logger.exception("the events of span %s could not be recorded", span.name)

    def shutdown(self) -> None:
        self._meter.flush(30.0)

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        return self._meter.flush(timeout_millis / 1000)

    def _record(self, span: ReadableSpan, node: _Node | None) -> None:
        attributes = readable(span.attributes)
        found = kind_of(attributes)
        if found is None:
            return
        kind, word = found
        if word == UNKNOWN:
            self.refused["operation_unknown"] += 1
            return
        if node is not None and node.is_in_task and kind == aliases.WORKFLOW:
            return  # the task that is open is the unit
        is_outermost = node is not None and _is_outermost(node)
        seen = _seen(span, attributes)
        self._meter.send(events_of(seen, kind, word, is_outermost=is_outermost, customer=asked(self._customer)))


def _is_outermost(node: _Node) -> bool:
    """Whether no agent's work is around the span; only where all that is above it is known."""
    above = node.above
    while above is not None:
        if is_agentic(readable(above.span.attributes)):
            return False
        above = above.above
    return node.is_whole


def _seen(span: ReadableSpan, attributes: Mapping[str, Any]) -> Span:
    context = span.context
    if context is None or not context.trace_id or not context.span_id:
        raise SpanRefused("id_invalid", "the span has no ids")
    return Span(
        trace_id=format_trace_id(context.trace_id),
        span_id=format_span_id(context.span_id),
        parent_id=format_span_id(span.parent.span_id) if span.parent else None,
        name=span.name,
        started_ns=span.start_time or 0,
        ended_ns=span.end_time or 0,
        failed=span.status.status_code is StatusCode.ERROR,
        attributes=attributes,
        resource=readable(span.resource.attributes),
    )


def _key(span: ReadableSpan) -> _Key:
    context = span.context
    return (context.trace_id, context.span_id) if context is not None else (0, 0)


def _stamp(span: SdkSpan) -> bool:
    """Says on a span that begins in the block of a task whose it is; what its maker said stays. Whether it does."""
    task = current_task()
    if task is None or task.closed:
        return False
    turn, own = current_turn(), span.attributes or {}
    said = {
        "taximeter.customer": task.customer,
        "taximeter.subscription": task.subscription,
        "taximeter.task_id": task.task_id,
        "taximeter.turn_id": turn.turn_id if turn else None,
        "taximeter.agent": task.fields.get("agent"),
        "taximeter.agent_version": task.fields.get("agent_version"),
        "taximeter.unit": "turn" if _is_agent(own) else None,
    }
    span.set_attributes({name: value for name, value in said.items() if value and name not in own})
    return True


def _is_agent(attributes: Mapping[str, Any]) -> bool:
    found = kind_of(readable(attributes))
    return found is not None and found[0] == aliases.AGENT
