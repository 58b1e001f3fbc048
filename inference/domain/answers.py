"""Answers in the shape of OpenAI's API: whole ones and the pieces of streamed ones."""

from __future__ import annotations

import base64
import struct
import uuid
from collections.abc import Iterator, Sequence
from typing import Any, Protocol

from inference.domain.compute import CallUsage
from inference.domain.tools import CallReader


class Answer(Protocol):
    """An answer in the making, fed with the model's text piece by piece."""

    whole_object: str
    piece_object: str

    def opening(self) -> list[dict[str, Any]]:
        """The choices of what a stream begins with, one a chunk; none where it begins with text."""

    def take(self, text: str) -> list[dict[str, Any]]:
        """The choices that `text` makes, one for each chunk to be sent."""

    def close(self, reason: str | None) -> list[dict[str, Any]]:
        """The last choices of a stream; `reason` is why the model stopped."""

    def choice(self) -> dict[str, Any]:
        """The choice of a whole answer, after `close`."""


def usage_counts(usage: CallUsage) -> dict[str, Any]:
    return {
        "prompt_tokens": usage.input_tokens,
        "completion_tokens": usage.output_tokens,
        "total_tokens": usage.input_tokens + usage.output_tokens,
        "prompt_tokens_details": {"cached_tokens": usage.cached_input_tokens},
    }


def finish_reason_of(reason: str | None) -> str:
    """OpenAI's clients know `stop` and `length`; how a call was cut off is in its account."""
    return "length" if reason in {"length", "timed_out"} else "stop"


class ChatAnswer:
    """A message: text, or one call of a tool where tools are allowed and the text begins with `{`."""

    whole_object, piece_object = "chat.completion", "chat.completion.chunk"

    def __init__(self, *, may_call: bool) -> None:
        self._may_call = may_call
        self._text = ""
        self._call: CallReader | None = None
        self._call_id = f"call_{uuid.uuid4().hex[:24]}"
        self._arguments = ""
        self._reason = "stop"

    def opening(self) -> list[dict[str, Any]]:
        return [self._piece({"role": "assistant", "content": None if self._may_call else ""})]

    def take(self, text: str) -> list[dict[str, Any]]:
        if self._may_call and not self._text and text.startswith("{"):
            self._call = CallReader()
        self._text += text
        if self._call is None:
            return [self._piece({"content": text})] if text else []
        named = self._call.name
        return list(self._call_pieces(self._call, named, self._call.take(text)))

    def close(self, reason: str | None) -> list[dict[str, Any]]:
        self._reason = finish_reason_of(reason)
        pieces: list[dict[str, Any]] = []
        if self._call is not None:
            rest = self._call.finish(cut=self._reason == "length")
            pieces = list(self._call_pieces(self._call, self._call.name, rest))
            if self._call.name is None:  # cut off before it said which tool
                self._call = None
                pieces = [self._piece({"content": self._text})]
            elif self._reason == "stop":
                self._reason = "tool_calls"
        return [*pieces, self._piece({}, self._reason)]

    def choice(self) -> dict[str, Any]:
        message: dict[str, Any] = {"role": "assistant", "content": self._text, "refusal": None}
        if self._call is not None:
            function = {"name": self._call.name, "arguments": self._arguments}
            message["content"] = None
            message["tool_calls"] = [{"id": self._call_id, "type": "function", "function": function}]
        return {"index": 0, "message": message, "finish_reason": self._reason, "logprobs": None}

    def _call_pieces(self, call: CallReader, name_before: str | None, arguments: str) -> Iterator[dict[str, Any]]:
        self._arguments += arguments
        function: dict[str, str] = {"arguments": arguments}
        head: dict[str, Any] = {"index": 0}
        if name_before is None and call.name is not None:
            head |= {"id": self._call_id, "type": "function"}
            function = {"name": call.name, **function}
        elif not arguments:
            return
        yield self._piece({"tool_calls": [{**head, "function": function}]})

    @staticmethod
    def _piece(delta: dict[str, Any], finish_reason: str | None = None) -> dict[str, Any]:
        return {"index": 0, "delta": delta, "finish_reason": finish_reason, "logprobs": None}


class CompletionAnswer:
    """A text that goes on from a prompt."""

    whole_object = piece_object = "text_completion"

    def __init__(self) -> None:
        self._text = ""
        self._reason = "stop"

    def opening(self) -> list[dict[str, Any]]:
        return []

    def take(self, text: str) -> list[dict[str, Any]]:
        self._text += text
        return [self._choice(text, None)] if text else []

    def close(self, reason: str | None) -> list[dict[str, Any]]:
        self._reason = finish_reason_of(reason)
        return [self._choice("", self._reason)]

    def choice(self) -> dict[str, Any]:
        return self._choice(self._text, self._reason)

    @staticmethod
    def _choice(text: str, finish_reason: str | None) -> dict[str, Any]:
        return {"index": 0, "text": text, "finish_reason": finish_reason, "logprobs": None}


def embeddings(vectors: Sequence[Sequence[float]], *, as_base64: bool) -> list[dict[str, Any]]:
    """The `data` of an embeddings answer."""
    return [
        {
            "object": "embedding",
            "index": index,
            "embedding": base64.b64encode(struct.pack(f"<{len(vector)}f", *vector)).decode() if as_base64 else vector,
        }
        for index, vector in enumerate(vectors)
    ]
