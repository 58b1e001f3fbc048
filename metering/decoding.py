"""From a request's bytes to rows of the log: one event refused never takes its neighbours with it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from hashlib import blake2b
from typing import Any, NoReturn
from uuid import UUID

import msgspec

from kernel.errors import InvalidError, MalformedError, TooLargeError
from metering.contracts import CloudEvent, Rejection
from metering.domain.faults import Fault, outcome_fault, subject_fault
from metering.domain.meters import is_number

MAX_EVENTS = 10_000
MAX_BYTES = 16 * 1024 * 1024
MAX_EVENT_BYTES = 64 * 1024
MAX_DEPTH = 32

_batch = msgspec.json.Decoder(list[CloudEvent])
_raw_batch = msgspec.json.Decoder(list[msgspec.Raw])
_one = msgspec.json.Decoder(CloudEvent)
_any = msgspec.json.Decoder()
_canonical = msgspec.json.Encoder(order="sorted")

#: How much longer than their canonical form data may be before its numbers are looked at closely.
_SLACK = 200

_PLAIN_NUMBER = re.compile(r"[0-9]{1,18}(\.[0-9]{1,30})?")

#: (event type, path below data) of every value that some meter needs as a number.
NumericPaths = Sequence[tuple[str, tuple[str, ...]]]


class LogRow(msgspec.Struct, frozen=True, gc=False):
    """An event ready for the log. `index` is its place in the request; both hashes have 16 bytes.

    One with a `fault` is refused, or kept in quarantine (`is_kept`). Taken before, it is a duplicate all the same.
    """

    index: int
    identity: bytes
    content_hash: bytes
    event: CloudEvent
    time: datetime
    data: bytes
    fault: Fault | None = None
    is_kept: bool = False


def decode_body(body: bytes) -> tuple[list[tuple[int, CloudEvent]], list[Rejection]]:
    """The readable events of a JSON body (one event or an array) with their indexes, and refusals of the rest.

    Raises `MalformedError` for what is no JSON, `TooLargeError` past `MAX_EVENTS`, `InvalidError`
    for JSON that is neither an object nor an array.
    """
    start = body[:64].lstrip()[:1]
    if start == b"{":
        body = b"[" + body + b"]"
    try:
        events = _batch.decode(body)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return _decode_each(body)
    _check_count(events)
    return list(enumerate(events)), []


def decode_mappings(
    events: Sequence[Mapping[str, Any] | CloudEvent],
) -> tuple[list[tuple[int, CloudEvent]], list[Rejection]]:
    """The same for events that are Python values already."""
    _check_count(events)
    good: list[tuple[int, CloudEvent]] = []
    bad: list[Rejection] = []
    for index, event in enumerate(events):
        if isinstance(event, CloudEvent):
            good.append((index, event))
            continue
        try:
            good.append((index, _one.decode(msgspec.json.encode(event))))
        except (msgspec.MsgspecError, TypeError, ValueError, RecursionError) as error:
            bad.append(_refusal(index, event.get("id"), error))
    return good, bad


def _decode_each(body: bytes) -> tuple[list[tuple[int, CloudEvent]], list[Rejection]]:
    try:
        parts = _raw_batch.decode(body)
    except msgspec.ValidationError:
        raise InvalidError("Send one CloudEvent or an array of them", code="body_invalid") from None
    except (msgspec.DecodeError, ValueError, RecursionError) as error:
        parts = _parts(body, error)
    _check_count(parts)
    good: list[tuple[int, CloudEvent]] = []
    bad: list[Rejection] = []
    for index, part in enumerate(parts):
        try:
            good.append((index, _one.decode(part)))
        except (msgspec.MsgspecError, ValueError, RecursionError) as error:
            bad.append(_refusal(index, _id_of(part), error))
    return good, bad


def _parts(body: bytes, error: Exception) -> list[msgspec.Raw]:
    """The elements of an array in which some text has half a surrogate pair, as cut-off emojis have.

    That is JSON by its grammar, which msgspec does not take: it shall cost its own event and not its neighbours.
    """
    try:
        return [msgspec.Raw(text.encode()) for text in _elements(body.decode())]
    except (ValueError, IndexError, RecursionError):
        raise MalformedError(f"The body is not valid JSON: {error}", code="malformed_json") from None


def _elements(text: str) -> Iterator[str]:
    """The texts of an array's elements; `ValueError` or `IndexError` for what is no JSON."""
    place = _after_space(text, 0)
    separator = text[place]
    if separator != "[":
        raise ValueError
    while separator != "]":
        start = _after_space(text, place + 1)
        _, end = _lenient.raw_decode(text, start)
        yield text[start:end]
        place = _after_space(text, end)
        separator = text[place]
        if separator not in ",]":
            raise ValueError
    if _after_space(text, place + 1) < len(text):
        raise ValueError


def _after_space(text: str, place: int) -> int:
    found = _SPACE.match(text, place)
    assert found is not None
    return found.end()


def _no_number(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON")


_SPACE = re.compile(r"[ \t\r\n]*")
_lenient = json.JSONDecoder(parse_constant=_no_number, parse_float=str, parse_int=str)


def _check_count(events: Sequence[object]) -> None:
    if len(events) > MAX_EVENTS:
        raise TooLargeError(
            f"A request takes at most {MAX_EVENTS:,} events, not {len(events):,}", code="too_many_events"
        )


def _id_of(part: msgspec.Raw) -> object:
    try:
        value = json.loads(bytes(part))
    except (ValueError, RecursionError):
        return None
    return value.get("id") if isinstance(value, dict) else None


def _refusal(index: int, event_id: object, error: Exception) -> Rejection:
    text = str(error)
    missing = re.search(r"missing required field `(\w+)`", text)
    place = re.search(r"\$\.(\w+)", text)
    if missing:
        code, text = "field_missing", f"The event has no {missing.group(1)}"
    elif place:
        code = "time_invalid" if place.group(1) == "time" else "field_invalid"
    else:
        code = "event_invalid"
    return Rejection(index, _shown(event_id), code, text)


def _shown(event_id: object) -> str | None:
    """The id of a refused event, as far as it can be said again."""
    return event_id[:1024].encode(errors="replace").decode() if isinstance(event_id, str) else None


class _Refused(Exception):
    def __init__(self, code: str, detail: str) -> None:
        super().__init__(detail)
        self.code = code


def prepare(
    *, organization_id: int, events: Iterable[tuple[int, CloudEvent]], received_at: datetime, numeric: NumericPaths
) -> tuple[list[LogRow], list[Rejection]]:
    """Rows for the log out of decoded events, and refusals of those whose content cannot be kept.

    What can be kept and not be counted is a row with a fault, so that its identity can be looked up first.
    """
    rows: list[LogRow] = []
    refused: list[Rejection] = []
    paths: dict[str, list[tuple[str, ...]]] = {}
    for event_type, path in numeric:
        paths.setdefault(event_type, []).append(path)
    for index, event in events:
        try:
            rows.append(_row(organization_id, index, event, received_at, paths.get(event.type, ())))
        except _Refused as error:
            refused.append(Rejection(index, event.id, error.code, str(error)))
    return rows, refused


def event_identity(organization_id: int, source: str, event_id: str) -> UUID:
    """What makes an event unique: 128 bits of BLAKE2b over (organization, source, id)."""
    return UUID(bytes=_identity(organization_id, source, event_id))


def _identity(organization_id: int, source: str, event_id: str) -> bytes:
    return _hash(f"{organization_id}:{len(source)}:{source}{event_id}".encode())


def _hash(content: bytes) -> bytes:
    return blake2b(content, digest_size=16).digest()


def _row(
    organization_id: int, index: int, event: CloudEvent, received_at: datetime, numeric: Sequence[tuple[str, ...]]
) -> LogRow:
    if event.specversion != "1.0":
        raise _Refused("specversion_unsupported", f"specversion must be 1.0, not {event.specversion[:20]!r}")
    if "\x00" in f"{event.id}{event.source}{event.type}{event.subject}{event.subscription}":
        raise _Refused("field_invalid", "id, source, type, subject and subscription cannot hold the character U+0000")
    if event.time is not None and not 1970 <= event.time.year <= 2999:
        raise _Refused("time_invalid", "time must lie between 1970 and 2999")
    raw = bytes(event.data)
    data, canonical = _checked_data(event, raw)
    fault = next((found for path in numeric if (found := number_fault(data, path))), None)
    return LogRow(
        index=index,
        identity=_identity(organization_id, event.source, event.id),
        content_hash=_hash(_canonical.encode(_attributes(event)) + canonical),
        event=event,
        time=event.time or received_at,
        data=raw,
        # First what can never be right: an event that is kept must be one that can be released.
        fault=fault or outcome_fault(event.type, data) or subject_fault(event.subject),
    )


def _attributes(event: CloudEvent) -> tuple[object, ...]:
    """What of an event's attributes is content: `subscription` where there is one, so that earlier hashes stay."""
    attributes = (event.type, event.subject, event.time)
    return attributes if event.subscription is None else (*attributes, event.subscription)


def _checked_data(event: CloudEvent, raw: bytes) -> tuple[dict[str, Any], bytes]:
    """The event's data as a value, and its canonical bytes: keys sorted, white space gone."""
    if event.data_base64 is not msgspec.UNSET:
        raise _Refused("data_invalid", "data must be a JSON object; data_base64 is not taken")
    if len(raw) > MAX_EVENT_BYTES:
        raise _Refused("event_too_large", f"data is larger than {MAX_EVENT_BYTES:,} bytes")
    try:
        data = _any.decode(raw)
        canonical = _canonical.encode(data)
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise _Refused("data_invalid", f"data cannot be kept: {error}") from None
    if not isinstance(data, dict):
        raise _Refused("data_invalid", "data must be a JSON object")
    if raw.count(b"{") + raw.count(b"[") > MAX_DEPTH or b"u0000" in canonical:
        _check_tree(data, 1)
    # Too large a number has failed above. Too small or too long a one is shorter in canonical form; looking
    # for its signs is a hundred times cheaper than looking at every number.
    if b"e-" in raw or b"E-" in raw or len(raw) - len(canonical) > _SLACK:
        _check_numbers(raw)
    return data, canonical


def _check_tree(value: Any, depth: int) -> None:
    if depth > MAX_DEPTH:
        raise _Refused("data_invalid", f"data is nested deeper than {MAX_DEPTH} levels")
    if isinstance(value, dict):
        for key, item in value.items():
            _check_tree(key, depth)
            _check_tree(item, depth + 1)
    elif isinstance(value, list):
        for item in value:
            _check_tree(item, depth + 1)
    elif isinstance(value, str) and "\x00" in value:
        raise _Refused("data_invalid", "text in data cannot hold the character U+0000")


def _check_numbers(raw: bytes) -> None:
    def check(text: str) -> float:
        _, _, exponent = text.lower().partition("e")
        if len(text) > 250 or (exponent and abs(int(exponent)) > 250):
            raise ValueError
        return 0.0

    try:
        msgspec.json.Decoder(float_hook=check).decode(raw)
    except (msgspec.MsgspecError, ValueError):
        raise _Refused("number_out_of_range", "data holds a number that is too large or too long to keep") from None


def number_fault(data: dict[str, Any], path: tuple[str, ...]) -> Fault | None:
    """The fault of data whose value at `path`, which a meter counts, is there and is no finite number."""
    value: Any = data
    for name in path:
        value = value.get(name) if isinstance(value, dict) else None
    if type(value) is str and _PLAIN_NUMBER.fullmatch(
        value
    ):  # what nearly all are; the whole check takes four times as long
        return None
    if value is None or is_number(value):
        return None
    return Fault("value_not_a_number", f"data.{'.'.join(path)} must be a finite number: a meter counts it")
