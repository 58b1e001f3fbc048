"""One answer on its way to the client, streamed or whole."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

from inference.domain.answers import Answer, usage_counts
from inference.domain.compute import CallUsage
from inference.domain.requests import TextRequest
from inference.engine.catalogue import Entry

if TYPE_CHECKING:
    from inference.engine.http import EngineRequestHandler

#: Pieces of text that follow each other faster than this go out together, in seconds.
_TOGETHER = 0.1
#: A whole answer that takes longer than the first shows a sign of life, and from then on every second one, in seconds.
_FIRST_PULSE, _PULSE = 3.0, 1.0


class Pulse:
    """Signs of life of an answer that is given whole and takes long, for who `wants_pulse`: empty lines, which JSON may
    begin with. A web server that passes them on learns from them that its client has left."""

    def __init__(self, handler: EngineRequestHandler) -> None:
        self._handler = handler
        self._due = time.monotonic() + _FIRST_PULSE

    def beat(self) -> None:
        """A sign where one is due. What fails before the first has a status of its own."""
        if not self._handler.wants_pulse or time.monotonic() < self._due:
            return
        self._due = time.monotonic() + _PULSE
        try:
            if not self._handler.answered:
                self._handler.begin("application/json")
            self._handler.send_chunk("\n")
        except OSError:  # noticed where it is asked whether to go on
            self._handler.broken = True


class Reply:
    """Passes an answer on as it is made. A comment (`: taximeter {…}`) before an event says what the call has
    used by then; clients of the stream do not see it. A whole answer has a `Pulse`."""

    def __init__(self, handler: EngineRequestHandler, request: TextRequest, answer: Answer, id: str) -> None:
        self.id = id
        self._handler = handler
        self._request = request
        self._answer = answer
        self._created = int(time.time())
        self._held = ""
        self._sent_at = 0.0
        self._pulse = Pulse(handler)

    def on_text(self, text: str, usage: CallUsage, entry: Entry) -> None:
        """A piece of the answer. In a stream the first one sends the headers, so errors before it keep their status."""
        if not self._request.stream:
            self._answer.take(text)
            if text or not self._request.generation.is_json:  # it is clear that the request can be answered
                self._pulse.beat()
            return
        self._held += text
        now = time.monotonic()
        if not self._held or now - self._sent_at < _TOGETHER:
            return
        self._sent_at = now
        pieces, self._held = self._answer.take(self._held), ""
        try:
            self._send(self._opening(entry) + self._events(pieces, usage, entry))
        except OSError:  # noticed where it is asked whether to go on
            self._handler.broken = True

    def finish(self, usage: CallUsage, entry: Entry) -> None:
        """The rest of the answer, in one go."""
        if not self._request.stream:
            self._answer.close(usage.finish_reason)
            content = {**self._last(usage, entry), "choices": [self._answer.choice()]}
            self._handler.send_whole(200, content)
            return
        pieces = [*self._answer.take(self._held), *self._answer.close(usage.finish_reason)]
        last = self._event({**self._last(usage, entry), "choices": []}) if self._request.include_usage else ""
        self._send(self._opening(entry) + self._events(pieces, usage, entry) + last + "data: [DONE]\n\n")
        self._handler.end_chunks()

    def _send(self, events: str) -> None:
        if not self._handler.answered:
            self._handler.begin("text/event-stream")
        self._handler.send_chunk(events)

    def _opening(self, entry: Entry) -> str:
        """What a stream begins with; nothing once it has begun."""
        if self._handler.answered:
            return ""
        head = self._head(self._answer.piece_object, entry)
        return "".join(self._event({**head, "choices": [choice]}) for choice in self._answer.opening())

    def _events(self, pieces: list[dict[str, Any]], usage: CallUsage, entry: Entry) -> str:
        """`pieces` as events, the account before them."""
        head = self._head(self._answer.piece_object, entry)
        account = json.dumps(self._handler.service.account(usage, entry))
        return f": taximeter {account}\n" + "".join(self._event({**head, "choices": [piece]}) for piece in pieces)

    def _last(self, usage: CallUsage, entry: Entry) -> dict[str, Any]:
        account = self._handler.service.account(usage, entry)
        kind = self._answer.piece_object if self._request.stream else self._answer.whole_object
        return {**self._head(kind, entry), "usage": usage_counts(usage), "taximeter": account}

    @staticmethod
    def _event(content: dict[str, Any]) -> str:
        return f"data: {json.dumps(content)}\n\n"

    def _head(self, kind: str, entry: Entry) -> dict[str, Any]:
        return {"id": self.id, "object": kind, "created": self._created, "model": entry.id}
