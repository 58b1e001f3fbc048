"""Clients of the kind that OpenAI and Anthropic publish, wrapped: what they have in common.

Both libraries send each call through one method, `request`, which also does their retries. It is overridden in a class
made of the client's own, so that helpers, raw responses and clients made with `with_options` are all recorded.
"""

from __future__ import annotations

import inspect
import logging
import weakref
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from taximeter.integrations.door import DOOR_HEADER, is_door, with_door_headers
from taximeter.integrations.model_calls import ModelCall, Named, Reading
from taximeter.integrations.raw_responses import follow_when_read
from taximeter.integrations.streams import Follower, StreamParts, follow
from taximeter.meter import Meter
from taximeter.task import Task
from taximeter.turn import Turn

logger = logging.getLogger("taximeter")

Client = TypeVar("Client")

_MOST_UNFINISHED = 1000


class AnswerFailed(Exception):
    """An answer that says itself that there is none."""


@dataclass(frozen=True)
class Dialect:
    """What is particular to a library. `operations` has, by path, the operation and whether an answer is a turn."""

    operations: Mapping[str, tuple[str, bool]]
    reading_of: Callable[[Any], Reading]
    #: For a stream whose usage its reader shall see or not.
    parts_of: Callable[[bool], StreamParts]
    #: Has a stream say its usage; whether that was added here.
    ask_for_usage: Callable[[Any, Mapping[str, Any]], bool]
    tools_offered: Callable[[Mapping[str, Any]], list[str]]
    tools_answered: Callable[[Mapping[str, Any]], Iterable[str]]
    provider_of: Callable[[Any], str]
    #: The id of an answer that is still being worked on, and the id of the one that a path asks for again.
    unfinished: Callable[[Any], str | None] = lambda answer: None
    asked_again: Callable[[str], str | None] = lambda path: None


def wrapped(
    client: Client,
    *,
    dialect: Dialect,
    meter: Meter,
    customer: Named,
    agent: Named,
    provider: str | None,
    tools: bool,
    door: bool | None,
) -> Client:
    """A client like `client`, with its connections, that records its calls."""
    base = getattr(type(client), "_taximeter_base", type(client))
    meters_itself = is_door(client, meter) if door is None else door
    recorder = Recorder(dialect, meter, customer, agent, provider, tools, meters_itself)
    # `with_options` makes another client on the same connections, and one of this class again.
    made: Any = client.with_options()  # type: ignore[attr-defined]
    made.__class__ = _async_class(base, recorder) if _is_async(base) else _sync_class(base, recorder)
    return made  # type: ignore[no-any-return]


def _sync_class(base: Any, recorder: Recorder) -> Any:
    class Metered(base):  # type: ignore[misc]
        _taximeter_base = base

        def request(self, cast_to: Any, options: Any, *arguments: Any, **more: Any) -> Any:
            call = recorder.begun(self, options, streams=bool(more.get("stream")))
            if call is None:
                return super().request(cast_to, options, *arguments, **more)
            try:
                answer = super().request(cast_to, options, *arguments, **more)
            except BaseException as error:
                call.failed(error)
                raise
            call.follow(answer)
            return answer

    return _named(Metered, base)


def _async_class(base: Any, recorder: Recorder) -> Any:
    class Metered(base):  # type: ignore[misc]
        _taximeter_base = base

        async def request(self, cast_to: Any, options: Any, *arguments: Any, **more: Any) -> Any:
            call = recorder.begun(self, options, streams=bool(more.get("stream")))
            if call is None:
                return await super().request(cast_to, options, *arguments, **more)
            try:
                answer = await super().request(cast_to, options, *arguments, **more)
            except BaseException as error:
                call.failed(error)
                raise
            call.follow(answer)
            return answer

    return _named(Metered, base)


def _named(made: type[Any], base: type[Any]) -> type[Any]:
    made.__name__, made.__qualname__, made.__module__ = base.__name__, base.__qualname__, base.__module__
    return made


@dataclass
class Recorder:
    """How the calls of one wrapped client are recorded."""

    dialect: Dialect
    meter: Meter
    customer: Named
    agent: Named
    provider: str | None
    tools: bool
    door: bool
    #: By task: the tools that were asked for and not answered yet, by the id of the call.
    asked_tools: weakref.WeakKeyDictionary[Task, dict[str, tuple[Turn, str, str]]] = field(
        default_factory=weakref.WeakKeyDictionary
    )
    #: Calls whose answer was still being worked on, by its id.
    unfinished: dict[str, ClientCall] = field(default_factory=dict)

    def begun(self, client: Any, options: Any, *, streams: bool) -> ClientCall | Again | None:
        """The call that `options` begins, with what has to be added to them; None for what calls no model.

        Whatever goes wrong here, the call is made.
        """
        try:
            return self._begin(client, options, streams=streams)
        except Exception:
            logger.exception("a call will not be recorded")
            return None

    def _begin(self, client: Any, options: Any, *, streams: bool) -> ClientCall | Again | None:
        if again := self.unfinished.get(self.dialect.asked_again(str(options.url)) or ""):
            return Again(again)
        kind = self.dialect.operations.get(str(options.url))
        body = options.json_data
        if kind is None or not isinstance(body, Mapping) or str(options.method).lower() != "post":
            return None
        operation, is_turn = kind
        call = ModelCall(
            self.meter,
            model=str(body.get("model") or "unknown"),
            operation=operation,
            provider="taximeter" if self.door else self.provider or self.dialect.provider_of(client),
            customer=self.customer,
            agent=self.agent,
            is_turn=is_turn,
            is_metered_elsewhere=self.door,
        )
        hides_usage = False
        if self.door:
            options.headers = with_door_headers(options.headers, call)
        elif streams:
            hides_usage = self.dialect.ask_for_usage(options, body)
        if self.tools:
            self._record_tool_calls(call.task, body)
        return ClientCall(self, call, body, hides_usage=hides_usage)

    def keep(self, id: str, call: ClientCall) -> None:
        """Until somebody asks for the answer again; the oldest goes where nobody does."""
        self.unfinished[id] = call
        if len(self.unfinished) > _MOST_UNFINISHED:
            self.unfinished.pop(next(iter(self.unfinished)))

    def remember_tools(self, call: ModelCall, reading: Reading, decisions: list[str]) -> None:
        """Which tools the model asked for, so that their results can be told from others."""
        if call.task is None or call.turn is None:
            return
        open_calls = self.asked_tools.setdefault(call.task, {})
        for (name, call_id), decision in zip(reading.tools, decisions, strict=False):
            if call_id:
                open_calls[call_id] = (call.turn, decision, name)

    def _record_tool_calls(self, task: Task | None, body: Mapping[str, Any]) -> None:
        """A result that is handed back to the model is a tool call: it has run. Each counts once."""
        open_calls = self.asked_tools.get(task) if task is not None and not task.closed else None
        if not open_calls:
            return
        for call_id in self.dialect.tools_answered(body):
            found = open_calls.pop(call_id, None)
            if found:
                turn, decision, name = found
                turn.tool_call(name, decision_id=decision, tool_call_id=call_id)


@dataclass(frozen=True)
class Again:
    """Asks for the answer of a call that was not finished. That asking fails says nothing of the call."""

    call: ClientCall

    def failed(self, error: BaseException) -> None:
        pass

    def follow(self, answer: Any) -> None:
        self.call.follow(answer)


class ClientCall:
    """A call of the client under way."""

    def __init__(self, recorder: Recorder, call: ModelCall, body: Mapping[str, Any], *, hides_usage: bool) -> None:
        self._recorder = recorder
        self._call = call
        self._options = recorder.dialect.tools_offered(body) if recorder.tools else None
        self._hides_usage = hides_usage

    def failed(self, error: BaseException, reading: Reading | None = None) -> None:
        self._call.failed(error, reading)

    def follow(self, answer: Any) -> None:
        """Reads what the client answers with: an object, a stream, or a raw response that holds one of them."""
        try:
            self._note_door(answer)
            if hasattr(answer, "http_response"):
                self._follow_raw(answer)
            elif hasattr(answer, "_iterator"):
                follow(answer, self._follower())
            elif unfinished := self._recorder.dialect.unfinished(answer):
                self._recorder.keep(unfinished, self)
            else:
                self._answered(self._recorder.dialect.reading_of(answer))
        except Exception:
            logger.exception("an answer could not be read for its usage")
            self._answered(Reading())

    def _follow_raw(self, answer: Any) -> None:
        """`with_raw_response` has read the answer; `with_streaming_response`, and a raw stream, have not."""
        if type(answer).__name__.startswith("Legacy"):
            self.follow(answer.parse())  # which it keeps
        elif answer.http_response.is_closed:
            self._answered(self._recorder.dialect.reading_of(answer.http_response.json()))
        else:
            follow_when_read(answer, self)

    def _follower(self) -> Follower:
        return Follower(self._answered, self.failed, self._recorder.dialect.parts_of(self._hides_usage))

    def _answered(self, reading: Reading) -> None:
        for id in [id for id, call in self._recorder.unfinished.items() if call is self]:
            del self._recorder.unfinished[id]
        if reading.finish_reason in {"failed", "cancelled"} and not reading.output_tokens:
            self.failed(AnswerFailed() if reading.finish_reason == "failed" else GeneratorExit())
            return
        decisions = self._call.answered(reading, options=self._options)
        if self._recorder.tools:
            self._recorder.remember_tools(self._call, reading, decisions)

    def _note_door(self, answer: Any) -> None:
        """Where the answer says that it is metered already, it is not recorded here, whatever was thought before."""
        response = getattr(answer, "http_response", None) or getattr(answer, "response", None)
        headers = getattr(response, "headers", None) or {}
        if not self._call.is_metered_elsewhere and (DOOR_HEADER in headers or hasattr(answer, "taximeter")):
            self._call.is_metered_elsewhere = True
            logger.warning("this client speaks to Taximeter's own door: say wrap(…, door=True) to tell it the customer")


def _is_async(base: type[Any]) -> bool:
    return inspect.iscoroutinefunction(base.request)
