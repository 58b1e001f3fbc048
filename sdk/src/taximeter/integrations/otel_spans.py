"""Spans as plain values, and how their attributes are read."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

from taximeter.integrations import otel_aliases as aliases

_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
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
    """A GenAI span that cannot become an event; `code` is stable."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(detail)
        self.code = code


@dataclass(frozen=True)
class Span:
    """A span with what is read of it. Ids are lower-case hex, times Unix nanoseconds; `parent_id` None is a root."""

    trace_id: str
    span_id: str
    parent_id: str | None
    name: str
    started_ns: int
    ended_ns: int
    failed: bool
    attributes: Mapping[str, Any]
    resource: Mapping[str, Any]

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

    def has(self, names: Sequence[str]) -> bool:
        return any(name in self.attributes for name in names)

    def text(self, field: str) -> str | None:
        """A text field from the span's own attributes; of a list, the first."""
        return first_text(self.attributes, aliases.TEXTS[field])

    def common(self, field: str) -> str | None:
        """A field that the span or its resource may name."""
        names, is_exact = aliases.COMMON[field], field in aliases.EXACT
        own = first_text(self.attributes, names, is_exact=is_exact)
        return own or first_text(self.resource, names, is_exact=is_exact)

    def count(self, field: str) -> int | None:
        """A token count; `SpanRefused` for what is no whole number from 0 to 10^15."""
        for name in aliases.COUNTS[field]:
            if self.attributes.get(name) is None:
                continue
            number = _whole(self.attributes[name])
            if number is None or not 0 <= number <= _LARGEST_COUNT:
                raise SpanRefused("tokens_invalid", f"{name} is not a number of tokens")
            return number
        return None

    def cost_usd(self) -> str | None:
        """The cost as a plain decimal; `SpanRefused` for what is no amount."""
        for name in aliases.COSTS_USD:
            value = self.attributes.get(name)
            if value is None:
                continue
            if isinstance(value, str) and _AMOUNT_TEXT.fullmatch(value):
                return format(Decimal(value), "f")
            if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value) or value < 0:
                raise SpanRefused("cost_invalid", f"{name} is not an amount")
            return format(Decimal(repr(value)), "f")
        return None

    def token_counts(self) -> dict[str, int | None]:
        """The token counts of a call. Cached and written tokens are among the input tokens; where they are more than
        those, the caller counts them apart, and they are added."""
        counts = {name: self.count(name) for name in aliases.COUNTS}
        cached = (counts["cached_input_tokens"] or 0) + (counts["cache_write_input_tokens"] or 0)
        given = counts["input_tokens"]
        return counts if given is None or cached <= given else {**counts, "input_tokens": given + cached}


def readable(attributes: Mapping[str, Any] | None) -> dict[str, Any]:
    """The attributes that some field is taken from, and no others; of a sequence, its texts."""
    found: dict[str, Any] = {}
    for name in aliases.READ.intersection(attributes or ()):
        value = (attributes or {})[name]
        if isinstance(value, (str, bool, int, float)):
            found[name] = value
        elif isinstance(value, (list, tuple)):
            found[name] = tuple(item for item in value if isinstance(item, str))
    return found


def kind_of(attributes: Mapping[str, Any]) -> tuple[str, str] | None:
    """What a span stands for, with the word that said so; None for what has nothing to do with GenAI.

    One that says no word at all is a model call if it names a model and either its provider or its tokens. One
    whose words are all unknown is a call where it has a model and tokens, and else a step (`UNKNOWN`).
    """
    unknown = ""
    for attribute, words in aliases.KINDS:
        word = attributes.get(attribute)
        if isinstance(word, str):
            if kind := words.get(word.lower()):
                return kind, word.lower()
            unknown = unknown or f"{attribute} = {word[:60]!r}"
    if unknown:
        is_call = any(name in attributes for name in aliases.TEXTS["model"]) and any(n in attributes for n in _TOKENS)
        return (aliases.MODEL, "chat") if is_call else (aliases.STEP, UNKNOWN)
    if any(name in attributes for name in aliases.TEXTS["model"]) and any(n in attributes for n in _SIGNS_OF_A_CALL):
        return aliases.MODEL, "chat"
    return None


def is_agentic(attributes: Mapping[str, Any]) -> bool:
    """Whether what happens below a span with these attributes is part of an agent's work."""
    found = kind_of(attributes)
    return found is not None and (found[0] in {aliases.AGENT, aliases.WORKFLOW, aliases.TOOL} or found[1] == UNKNOWN)


def first_text(attributes: Mapping[str, Any], names: Sequence[str], *, is_exact: bool = False) -> str | None:
    """The first of `names` that is there as a text, or as a whole number; without the space around it, unless
    `is_exact`."""
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


def _whole(value: Any) -> int | None:
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
