"""The OpenAI-compatible door: any OpenAI client is served by the embedded engine, and metered."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from typing import Any

from django.http import HttpResponse, JsonResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from drf_spectacular.utils import extend_schema
from rest_framework.views import APIView

from inference.api import engine
from inference.api.errors import EngineUnavailable, error_body, handle
from inference.api.metered_call import MeteredCall, call_of
from inference.domain.requests import RequestError
from kernel.errors import TaximeterError, TooLargeError

logger = logging.getLogger("inference")

MAX_BODY_BYTES = 2 * 1024 * 1024
#: The call that is metered here, so that a client which meters too knows to leave it out.
CALL_HEADER = "X-Taximeter-Call"
_DONE = b"data: [DONE]\n"
_ACCOUNT = b": taximeter "

#: What the entrance gives: leaves the place at the database to others while the engine is waited for.
Aside = Callable[[], AbstractContextManager[None]]


class OpenAiView(APIView):
    """A view that speaks OpenAI's API, errors included."""

    required_scope = "ingest"
    takes_customer_keys = True

    def get_exception_handler(self) -> Any:
        return handle


class ModelsView(OpenAiView):
    @extend_schema(operation_id="get_served_models", responses={200: dict})
    def get(self, request: Any) -> JsonResponse:
        """The models that can be asked for."""
        return JsonResponse(engine.ask("GET", "/v1/models"))


class CallView(OpenAiView):
    """A POST that the engine answers at `path`; each is one `inference.call` event."""

    path: str

    def _call(self, request: Any) -> HttpResponseBase:
        body = request.body
        if len(body) > MAX_BODY_BYTES:
            raise TooLargeError(f"The body is larger than {MAX_BODY_BYTES} bytes")
        stream = _wants_stream(body)
        call = MeteredCall(
            call_of(
                request.headers,
                organization_id=request.auth.organization_id,
                only_customer=request.auth.customer,
            )
        )
        aside = request.META.get("taximeter.set_aside", nullcontext)
        with aside():
            answer = engine.send("POST", self.path, body, request_id=call.id, call=call.call)
        if answer.status != 200 or not stream:
            return _whole(answer, call)
        relay = _relay(answer, call, aside)
        next(relay)  # from here on, closing it ends the call, also where nothing was read of it
        response = StreamingHttpResponse(relay, content_type="text/event-stream")
        response["Cache-Control"] = "no-store"
        response["X-Accel-Buffering"] = "no"
        response[CALL_HEADER] = call.id
        return response


class ChatCompletionsView(CallView):
    path = "/v1/chat/completions"

    @extend_schema(request=dict, responses={200: dict})
    def post(self, request: Any) -> HttpResponseBase:
        """A chat completion, streamed where the body says `"stream": true`. Each is one `inference.call` event."""
        return self._call(request)


class CompletionsView(CallView):
    path = "/v1/completions"

    @extend_schema(request=dict, responses={200: dict})
    def post(self, request: Any) -> HttpResponseBase:
        """A text that goes on from `prompt`, streamed where the body says so. Each is one `inference.call` event."""
        return self._call(request)


class EmbeddingsView(CallView):
    path = "/v1/embeddings"

    @extend_schema(request=dict, responses={200: dict})
    def post(self, request: Any) -> HttpResponseBase:
        """A vector for each `input`, by models made for it. Each request is one `inference.call` event."""
        return self._call(request)


def _wants_stream(body: bytes) -> bool:
    try:
        content = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise RequestError(f"The body is not valid JSON: {error}", code="malformed_json") from None
    return isinstance(content, dict) and content.get("stream") is True


def _whole(answer: engine.Answer, call: MeteredCall) -> HttpResponse:
    body = answer.read()
    if answer.status == 200:
        call.note(json.dumps(json.loads(body)["taximeter"]).encode())
        call.record()  # before the answer is given: what is not metered is not given
    response = HttpResponse(body, status=answer.status, content_type="application/json")
    if answer.status == 200:
        response[CALL_HEADER] = call.id
    if "Retry-After" in answer.headers:
        response["Retry-After"] = answer.headers["Retry-After"]
    return response


def _relay(answer: engine.Answer, call: MeteredCall, aside: Aside) -> Iterator[bytes]:
    """The engine's events, passed on as they come. Its last word waits until the call is recorded.

    It waits for the engine `aside`, where it keeps nobody from the database. The first thing it gives is empty, so
    that it can be started before anything is there to be read.
    """
    pieces = answer.pieces()
    try:
        yield b""
        while True:
            with aside():
                piece = next(pieces, None)
            if piece is None:
                break
            text = _without_accounts(piece, call)
            if _DONE in text:
                call.record()
            if text:
                yield text
    except GeneratorExit:
        with aside():
            _finish_for_nobody(pieces, call)
        raise
    except TaximeterError as error:
        status = 503 if isinstance(error, EngineUnavailable) else 500
        yield f"data: {json.dumps(error_body(status, error.detail, code=error.code))}\n\n".encode()
    finally:
        answer.close()
        _record_anyway(call)


def _without_accounts(piece: bytes, call: MeteredCall) -> bytes:
    """`piece` without the engine's comments, of which the last is noted."""
    if _ACCOUNT not in piece:
        return piece
    kept = []
    for line in piece.splitlines(keepends=True):
        if line.startswith(_ACCOUNT):
            call.note(line[len(_ACCOUNT) :])
        else:
            kept.append(line)
    return b"".join(kept)


def _finish_for_nobody(pieces: Iterator[bytes], call: MeteredCall) -> None:
    """The client left: call the work off, and wait to be told what it used."""
    engine.call_off(call.id)
    try:
        for piece in pieces:
            _without_accounts(piece, call)
    except EngineUnavailable:
        logger.warning("call %s: the engine went away; what it used is known up to the last word", call.id)


def _record_anyway(call: MeteredCall) -> None:
    try:
        call.record()
    except Exception:
        logger.exception("call %s was served and could not be recorded; the engine keeps it", call.id)
        raise
