"""How mappings read records: by path, typed, with the reason where something is missing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from taximeter import Event
from taximeter.events import build_event

from agents.importers.report import LineBroken

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MAX_TEXT = 255
_MAX_TOKENS = 10**15


@dataclass(frozen=True, slots=True)
class Context:
    """What the command says of every record: whose it is, who worked, and the time where records have none."""

    customer: str | None = None
    agent: str | None = None
    time: datetime | None = None


def lookup(record: Any, *paths: str) -> Any:
    """The first of `paths` (names joined by points) that leads to something other than null; None for none."""
    for path in paths:
        found = record
        for name in path.split("."):
            found = found.get(name) if isinstance(found, Mapping) else None
        if found is not None:
            return found
    return None


def text(record: Any, *paths: str, is_exact: bool = False) -> str | None:
    """A text of at most 255 characters; None where there is none. A number counts as its digits."""
    value = lookup(record, *paths)
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    if not isinstance(value, str) or not value.strip():
        return None
    if len(value) > _MAX_TEXT or "\x00" in value:
        raise LineBroken(f"{paths[0]} is longer than {_MAX_TEXT} characters", code="text_too_long")
    return value if is_exact else value.strip()


def key(record: Any, *paths: str) -> str | None:
    """The same for a customer's key, which is taken with the spaces around it: with them it is another key."""
    return text(record, *paths, is_exact=True)


def identifier(record: Any, *paths: str) -> str:
    """The record's own id; raises `LineBroken` where it has none."""
    found = text(record, *paths)
    if found is None:
        raise LineBroken(f"no {paths[0]} that names the record", code="id_missing")
    return found


def tokens(record: Any, *paths: str) -> int | None:
    """A number of tokens, None where there is none; `LineBroken` for what is no whole number from 0."""
    value = lookup(record, *paths)
    if value is None:
        return None
    if isinstance(value, Decimal) and value == value.to_integral_value() and abs(value) <= _MAX_TOKENS:
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= _MAX_TOKENS:
        raise LineBroken(f"{paths[0]} is no number of tokens", code="tokens_invalid")
    return value


def amount(record: Any, *paths: str) -> Decimal | None:
    """An amount of money, None where there is none; `LineBroken` for what is none."""
    value = lookup(record, *paths)
    if value is None:
        return None
    try:
        number = Decimal(str(value)) if isinstance(value, str | int | Decimal) else None
    except ArithmeticError:
        number = None
    if number is None or isinstance(value, bool) or not number.is_finite() or not 0 <= number <= 10**12:
        raise LineBroken(f"{paths[0]} is no amount", code="cost_invalid")
    return number


def instant(record: Any, *paths: str) -> datetime | None:
    """A time: ISO 8601 (in UTC where it names no zone), or seconds since 1970; None where there is none."""
    value = lookup(record, *paths)
    if value is None:
        return None
    try:
        if isinstance(value, str):
            found = datetime.fromisoformat(value.strip())
            return (found if found.tzinfo else found.replace(tzinfo=UTC)).astimezone(UTC)
        if isinstance(value, int | Decimal) and not isinstance(value, bool):
            return _EPOCH + timedelta(microseconds=int(value * 1_000_000))
    except (ValueError, OverflowError, ArithmeticError):
        pass
    raise LineBroken(f"{paths[0]} holds {str(value)[:60]!r}, which is no time", code="time_invalid")


def event(source: str, id: str, type: str, *, time: datetime, customer: str | None, data: Mapping[str, Any]) -> Event:
    """One event; fields that are None are left out."""
    return build_event(id=id, source=source, type=type, time=time, customer=customer, data=data)


def milliseconds(start: datetime | None, end: datetime | None) -> int | None:
    return None if start is None or end is None else max(0, (end - start) // timedelta(milliseconds=1))


def agent_of(named: str | None) -> dict[str, str | None]:
    """`support@3` as `agent` and `agent_version`."""
    key, _, version = (named or "").partition("@")
    return {"agent": key or None, "agent_version": version or None}


def answered_turn(
    source: str, call_id: str, *, time: datetime, customer: str | None, common: Mapping[str, Any],
    call: Mapping[str, Any], tools: list[str],
) -> list[Event]:  # fmt: skip
    """A model's answer: the inference call, the turn that it is, and a decision for each tool it chose."""
    shared = {**common, "turn_id": f"{call_id}/turn"}
    events = [
        event(source, call_id, "inference.call", time=time, customer=customer, data={**shared, **call}),
        event(source, f"{call_id}/turn", "agent.turn", time=time, customer=customer, data=shared),
    ]
    for number, tool in enumerate(tools, start=1):
        decision_id = f"{call_id}/decision-{number}"
        data = {**shared, "decision_id": decision_id, "kind": "tool", "choice": tool}
        events.append(event(source, decision_id, "agent.decision", time=time, customer=customer, data=data))
    return events
