"""Spans as plain values, whatever they came in, and how their attributes are read."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from metering.domain import otel_aliases as aliases
from metering.domain.otel_aliases import Kind

#: What an attribute may be here. Nested values are not read: no field is taken from one.
Value = str | bool | int | float | tuple[str, ...]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LONGEST_TEXT = 255
_LARGEST_COUNT = 10**15
_LONGEST_LIST = 1_000
#: Counts as text, some with a point or an exponent, such as `12.0` and `1e3`.
_WHOLE_TEXT = re.compile(r"[0-9]{1,16}(\.[0-9]{1,3})?([eE]\+?[0-9]{1,2})?", re.ASCII)
_AMOUNT_TEXT = re.compile(r"[0-9]{1,12}(\.[0-9]{1,20})?([eE]-?[0-9]{1,2})?", re.ASCII)
_TOKENS = aliases.COUNTS["input_tokens"] + aliases.COUNTS["output_tokens"]
_SIGNS_OF_A_CALL = aliases.TEXTS["provider"] + _TOKENS
#: In place of the word of a span whose operation is in no table.
UNKNOWN = "unknown operation"


class SpanRefused(Exception):
    """A span that is GenAI and cannot become an event; `code` is stable."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(detail)
        self.code = code


@dataclass(frozen=True, slots=True)
class Span:
    """One span of a trace. Ids are lower-case hex, or "" where what came is no id; times are Unix nanoseconds.

    `parent_id` is None for the root of a trace.
    """

    trace_id: str
    span_id: str
    parent_id: str | None
    name: str
    started_ns: int
    ended_ns: int
    failed: bool
    attributes: Mapping[str, Value]
    resource: Mapping[str, Value]

    @property
    def started_at(self) -> datetime:
        return _EPOCH + timedelta(microseconds=self.started_ns // 1000)

    @property
    def ended_at(self) -> datetime:
        return _EPOCH + timedelta(microseconds=self.ended_ns // 1000)

    @property
    def duration_ms(self) -> int:
        """Whole milliseconds, and 0 where a clock went backwards."""
        return max(0, self.ended_ns - self.started_ns) // 1_000_000


def kind_of(span: Span) -> tuple[Kind, str] | None:
    """What a span stands for, with the word that said so; None for a span that has nothing to do with GenAI.

    A span that says no word at all, as the first conventions had it, is a model call if it names a model and
    either its provider or its tokens. One whose words are all unknown is a call where it has a model and tokens, and
    else a step (`UNKNOWN`), such as the loop of an agent.
    """
    unknown = ""
    for attribute, words in aliases.KINDS:
        word = span.attributes.get(attribute)
        if isinstance(word, str):
            if kind := words.get(word.lower()):
                return kind, word.lower()
            unknown = unknown or f"{attribute} = {word[:60]!r}"
    if unknown:
        is_call = _has(span, aliases.TEXTS["model"]) and _has(span, _TOKENS)
        return (Kind.MODEL, "chat") if is_call else (Kind.STEP, UNKNOWN)
    if _has(span, aliases.TEXTS["model"]) and _has(span, _SIGNS_OF_A_CALL):
        return Kind.MODEL, "chat"
    return None


def is_agentic(span: Span) -> bool:
    """Whether what happens below `span` is part of an agent's work."""
    found = kind_of(span)
    return found is not None and (found[0] in {Kind.AGENT, Kind.WORKFLOW, Kind.TOOL} or found[1] == UNKNOWN)


def text(span: Span, field: str) -> str | None:
    """A text field from the span's own attributes; of a list, the first."""
    return _first_text(span.attributes, aliases.TEXTS[field])


def common_text(span: Span, field: str) -> str | None:
    """A field that the span or its resource may name."""
    names, is_exact = aliases.COMMON[field], field in aliases.EXACT
    own = _first_text(span.attributes, names, is_exact=is_exact)
    return own or _first_text(span.resource, names, is_exact=is_exact)


def resource_text(span: Span, name: str) -> str | None:
    return _first_text(span.resource, (name,))


def own_text(span: Span, name: str) -> str | None:
    return _first_text(span.attributes, (name,))


def count(span: Span, field: str) -> int | None:
    """A token count; `SpanRefused` for what is no whole number from 0 to 10^15."""
    for name in aliases.COUNTS[field]:
        if (number := whole_count(span.attributes, name)) is not None:
            return number
    return None


def whole_count(attributes: Mapping[str, Value], name: str) -> int | None:
    """A count that an attribute holds; `SpanRefused` for what is no whole number from 0 to 10^15."""
    value = attributes.get(name)
    if value is None:
        return None
    number = _whole(value)
    if number is None or not 0 <= number <= _LARGEST_COUNT:
        raise SpanRefused("tokens_invalid", f"{name} is not a number of tokens")
    return number


def token_counts(span: Span) -> dict[str, int | None]:
    """The token counts of a call. Cached and written tokens are among the input tokens; where they are more than
    those, the caller counts them apart, and they are added."""
    counts = {name: count(span, name) for name in aliases.COUNTS}
    cached = (counts["cached_input_tokens"] or 0) + (counts["cache_write_input_tokens"] or 0)
    given = counts["input_tokens"]
    return counts if given is None or cached <= given else counts | {"input_tokens": given + cached}


def cost_usd(span: Span) -> str | None:
    """The cost as a plain decimal; `SpanRefused` for what is no amount."""
    for name in aliases.COSTS_USD:
        if (cost := amount(span.attributes, name)) is not None:
            return cost
    return None


def amount(attributes: Mapping[str, Value], name: str) -> str | None:
    """An amount that an attribute holds, as a plain decimal; `SpanRefused` for what is no amount."""
    value = attributes.get(name)
    if value is None:
        return None
    if isinstance(value, str) and _AMOUNT_TEXT.fullmatch(value):
        return format(Decimal(value), "f")
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value) or value < 0:
        raise SpanRefused("cost_invalid", f"{name} is not an amount")
    return format(Decimal(repr(value)), "f")


def _has(span: Span, names: tuple[str, ...]) -> bool:
    return any(name in span.attributes for name in names)


def _first_text(attributes: Mapping[str, Value], names: tuple[str, ...], *, is_exact: bool = False) -> str | None:
    for name in names:
        value = attributes.get(name)
        if isinstance(value, tuple):
            value = value[0] if value else None
        elif isinstance(value, str) and value.startswith("["):
            value = _first_of_list(value)
        if isinstance(value, int) and not isinstance(value, bool):
            value = str(value)
        if not isinstance(value, str) or not value.strip():
            continue
        if len(value) > _LONGEST_TEXT:
            raise SpanRefused("attribute_too_long", f"{name} is longer than {_LONGEST_TEXT} characters")
        return value if is_exact else value.strip()
    return None


def _first_of_list(value: str) -> str:
    """The first text of a list that was written as JSON (`["stop"]`), else `value` itself."""
    if len(value) > _LONGEST_LIST:
        return value
    try:
        listed = json.loads(value)
    except ValueError:
        return value
    return listed[0] if isinstance(listed, list) and listed and isinstance(listed[0], str) else value


def _whole(value: Value) -> int | None:
    """A whole number, also from text and from a double, as some dialects write them."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        return value
    if isinstance(value, float):
        return int(value) if value.is_integer() else None
    if isinstance(value, str) and (found := _WHOLE_TEXT.fullmatch(value)):
        number = Decimal(found[0])
        return int(number) if number == number.to_integral_value() else None
    return None
