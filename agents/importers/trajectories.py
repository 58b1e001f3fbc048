"""One recorded run in the OpenAI chat format, and the events it becomes. Pure: no database, no clock.

A run is a JSON object with `messages` and `reward`. What was said in it goes no further than its hash.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import msgspec
from taximeter import Event, Meter

from agents.importers.report import LineBroken

SOURCE = "import/chat"

#: The format has no times: each message of a run is taken to come this much after the one before.
MESSAGE_TIME = timedelta(seconds=1)

_ROLES = {"system", "developer", "user", "assistant", "tool", "function"}
_MAX_NAME = 255

_decoder = msgspec.json.Decoder(float_hook=Decimal)
_canonical = msgspec.json.Encoder(order="sorted", decimal_format="number")


@dataclass(frozen=True, slots=True)
class Message:
    """A message: the tools an assistant called as (call id, tool), or the id of the call a tool's result is for."""

    role: str
    calls: tuple[tuple[str | None, str], ...] = ()
    answers: str | None = None


@dataclass(frozen=True, slots=True)
class Run:
    """A run. `digest` is the SHA-256 of all its content, whatever its spacing and order of keys."""

    digest: str
    goal: str
    succeeded: bool
    messages: tuple[Message, ...]

    @property
    def turns(self) -> int:
        return sum(message.role == "assistant" for message in self.messages)

    @property
    def decisions(self) -> int:
        return sum(len(message.calls) for message in self.messages)


def read_run(line: bytes) -> Run:
    """The run in a line of JSON; raises `LineBroken` with what is wrong with it."""
    try:
        value = _decoder.decode(line)
        digest = hashlib.sha256(_canonical.encode(value)).hexdigest()
    except (msgspec.MsgspecError, ValueError, RecursionError, ArithmeticError) as error:
        raise LineBroken(f"not valid JSON: {error}", code="malformed_json") from None
    if not isinstance(value, dict):
        raise LineBroken("not a JSON object")
    reward, messages = value.get("reward"), value.get("messages")
    if isinstance(reward, bool) or not isinstance(reward, int | Decimal):
        raise LineBroken("no reward that is a number", code="reward_missing")
    if not isinstance(messages, list):
        raise LineBroken("no list of messages", code="messages_missing")
    return Run(
        digest=digest,
        goal=_goal(value),
        succeeded=reward >= 1,
        messages=tuple(_message(place, message) for place, message in enumerate(messages)),
    )


def task_id_of(run: Run, *, customer: str, agent: str) -> str:
    """What names the run's task: the same content, customer and agent give the same id."""
    parts = msgspec.json.encode([run.digest, customer, agent])
    return f"run-{hashlib.sha256(parts).hexdigest()[:32]}"


def run_events(run: Run, *, customer: str, agent: str, starts_at: datetime) -> list[Event]:
    """The run's events: each assistant message a turn, each of its tool calls a decision, each result of one
    a tool call, and the task with its outcome. Raises `OverflowError` for a start beyond all calendars.
    """
    events: list[Event] = []
    now = _Moment(starts_at)
    meter = Meter(source=SOURCE, transport=events.extend, clock=now, sdk=None)
    task_id = task_id_of(run, customer=customer, agent=agent)
    with meter.task(run.goal, customer=customer, agent=agent, task_id=task_id) as task:
        waiting: list[_Call] = []
        for place, message in enumerate(run.messages):
            if message.role == "assistant":
                with task.turn() as turn:
                    now.at = starts_at + place * MESSAGE_TIME
                    for call_id, tool in message.calls:
                        waiting.append(_Call(call_id, tool, turn, turn.decision("tool", choice=tool), now.at))
                continue
            now.at = starts_at + place * MESSAGE_TIME
            if message.role in {"tool", "function"} and (call := _take(waiting, message.answers)):
                took = (now.at - call.decided_at) // timedelta(milliseconds=1)
                call.turn.tool_call(call.tool, decision_id=call.decision_id, duration_ms=took)
        if run.succeeded:
            task.succeed(source="check")
        else:
            task.fail(source="check")
    return events


class _Moment:
    """A clock that is told the time."""

    def __init__(self, at: datetime) -> None:
        self.at = at

    def __call__(self) -> datetime:
        return self.at


@dataclass(frozen=True, slots=True)
class _Call:
    """A tool call whose result has not come yet."""

    call_id: str | None
    tool: str
    turn: Any
    decision_id: str
    decided_at: datetime


def _take(waiting: list[_Call], call_id: str | None) -> _Call | None:
    """The first call waiting for a result with this id, or without one the first of all; none is no call's."""
    for place, call in enumerate(waiting):
        if call_id is None or call.call_id == call_id:
            return waiting.pop(place)
    return None


def _goal(value: Mapping[str, Any]) -> str:
    """How people tell runs apart: by the task and trial that the data set gives, where it does."""
    parts = [
        f"{label} {value[name]}"
        for name, label in (("task_id", "task"), ("trial", "trial"))
        if isinstance(value.get(name), str | int) and len(str(value[name])) <= 100 and "\x00" not in str(value[name])
    ]
    return ", ".join(parts) or "recorded run"


def _message(place: int, value: object) -> Message:
    role = value.get("role") if isinstance(value, dict) else None
    if not isinstance(value, dict) or not isinstance(role, str) or role not in _ROLES:
        raise LineBroken(f"message {place + 1} has no known role", code="role_unknown")
    if role != "assistant":
        answers = value.get("tool_call_id")
        return Message(role, answers=answers if isinstance(answers, str) else None)
    calls = value.get("tool_calls") or []
    if not isinstance(calls, list):
        raise LineBroken(f"the tool_calls of message {place + 1} are no list", code="tool_call_invalid")
    found = [_call(place, call) for call in calls]
    if value.get("function_call"):  # the format's older way to call one tool
        found.append(_call(place, {"function": value["function_call"]}))
    return Message(role, calls=tuple(found))


def _call(place: int, value: object) -> tuple[str | None, str]:
    function = value.get("function") if isinstance(value, dict) else None
    name = function.get("name") if isinstance(function, dict) else None
    if not isinstance(value, dict) or not isinstance(name, str) or not 0 < len(name) <= _MAX_NAME or "\x00" in name:
        raise LineBroken(f"a tool call of message {place + 1} names no function", code="tool_call_invalid")
    call_id = value.get("id")
    return (call_id if isinstance(call_id, str) else None), name
