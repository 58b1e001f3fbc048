"""Answers passed on piece by piece, as the engine makes them; the last word waits until the call is recorded.

Each relay is a generator. The first thing it gives is empty, so that it can be started before anything is there to be
read: from then on, closing it ends the call. It waits for the engine `aside`, where it keeps nobody from the database.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import Any, Protocol

from inference.api import engine
from inference.api.errors import EngineUnavailable, error_body
from inference.api.metered_call import MeteredCall
from kernel.errors import TaximeterError

logger = logging.getLogger("inference")

#: What admission control gives: leaves the place at the database to others while the engine is waited for.
Aside = Callable[[], AbstractContextManager[None]]

_DONE = b"data: [DONE]\n"
_ACCOUNT = b": taximeter "


class Form(Protocol):
    """How the engine sends an answer."""

    def without_accounts(self, piece: bytes, call: MeteredCall) -> bytes:
        """`piece` as the client gets it, the account in it noted."""

    def is_last(self, piece: bytes) -> bool:
        """Whether `piece` is or has the last word of the answer."""

    def failure(self, error: dict[str, Any]) -> bytes:
        """The last word of an answer that failed after it had begun."""


class Events:
    """A stream of events; the engine's comments among them are accounts."""

    def without_accounts(self, piece: bytes, call: MeteredCall) -> bytes:
        if _ACCOUNT not in piece:
            return piece
        kept = []
        for line in piece.splitlines(keepends=True):
            if line.startswith(_ACCOUNT):
                call.note(line[len(_ACCOUNT) :])
            else:
                kept.append(line)
        return b"".join(kept)

    def is_last(self, piece: bytes) -> bool:
        return _DONE in piece

    def failure(self, error: dict[str, Any]) -> bytes:
        return f"data: {json.dumps(error)}\n\n".encode()


class Whole:
    """Empty lines as signs of life, and then the whole answer with its account, or an error."""

    def without_accounts(self, piece: bytes, call: MeteredCall) -> bytes:
        if self.is_last(piece) and (account := json.loads(piece).get("taximeter")):
            call.note(json.dumps(account).encode())
        return piece

    def is_last(self, piece: bytes) -> bool:
        return bool(piece.strip())

    def failure(self, error: dict[str, Any]) -> bytes:
        return f"{json.dumps(error)}\n".encode()


def relay(answer: engine.Answer, call: MeteredCall, aside: Aside, form: Form) -> Iterator[bytes]:
    """The engine's `answer`, as bytes for the client. Whoever leaves is charged for what was computed by then."""
    pieces = answer.pieces()
    try:
        yield b""
        while True:
            with aside():
                piece = next(pieces, None)
            if piece is None:
                break
            text = form.without_accounts(piece, call)
            if form.is_last(text):
                call.record()
            if text:
                yield text
                call.prepare()
    except GeneratorExit:
        with aside():
            _finish_for_nobody(pieces, call, form)
        raise
    except TaximeterError as error:
        status = 503 if isinstance(error, EngineUnavailable) else 500
        yield form.failure(error_body(status, error.detail, code=error.code))
    finally:
        answer.close()
        _record_anyway(call)


def _finish_for_nobody(pieces: Iterator[bytes], call: MeteredCall, form: Form) -> None:
    """The client left: call the work off, and wait to be told what it used."""
    engine.call_off(call.id)
    try:
        for piece in pieces:
            form.without_accounts(piece, call)
    except EngineUnavailable:
        logger.warning("call %s: the engine went away; what it used is known up to the last word", call.id)


def _record_anyway(call: MeteredCall) -> None:
    try:
        call.record()
    except Exception:
        logger.exception("call %s was served and could not be recorded; the engine keeps it", call.id)
        raise
