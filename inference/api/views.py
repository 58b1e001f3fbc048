"""The OpenAI-compatible door: any OpenAI client is served by the embedded engine, and metered."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from typing import Any

import httpx
from django.http import HttpResponse, JsonResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from drf_spectacular.utils import extend_schema
from rest_framework.views import APIView

from inference.api import engine
from inference.api.errors import EngineUnavailable, error_body, handle
from inference.api.metered_call import CallHeaders, MeteredCall
from inference.domain.chat import ChatRequestError
from kernel.errors import TaximeterError, TooLargeError

logger = logging.getLogger("inference")

MAX_BODY_BYTES = 2 * 1024 * 1024
_DONE = b"data: [DONE]\n\n"


class OpenAiView(APIView):
    """A view that speaks OpenAI's API, errors included."""

    required_scope = "ingest"

    def get_exception_handler(self) -> Any:
        return handle


class ModelsView(OpenAiView):
    @extend_schema(responses={200: dict})
    def get(self, request: Any) -> JsonResponse:
        """The models that can be asked for."""
        return JsonResponse(engine.get_models())


class ChatCompletionsView(OpenAiView):
    @extend_schema(request=dict, responses={200: dict})
    def post(self, request: Any) -> HttpResponseBase:
        """A chat completion, streamed where the body says `"stream": true`. Each is one `inference.call` event."""
        body = request.body
        if len(body) > MAX_BODY_BYTES:
            raise TooLargeError(f"The body is larger than {MAX_BODY_BYTES} bytes")
        call = MeteredCall(organization_id=request.auth.organization_id, headers=CallHeaders(request.headers))
        stream = _wants_stream(body)
        answer = engine.send_chat(body, request_id=call.id, stream=stream)
        if not stream:
            return _whole(answer, call)
        if answer.status_code != 200:
            answer.read()
            return _passed_on(answer)
        relay = _relay(answer, call)
        next(relay)  # from here on, closing it ends the call, also where nothing was read of it
        response = StreamingHttpResponse(relay, content_type="text/event-stream")
        response["Cache-Control"] = "no-store"
        response["X-Accel-Buffering"] = "no"
        return response


def _wants_stream(body: bytes) -> bool:
    try:
        content = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise ChatRequestError(f"The body is not valid JSON: {error}", code="malformed_json") from None
    return isinstance(content, dict) and content.get("stream") is True


def _whole(answer: httpx.Response, call: MeteredCall) -> HttpResponse:
    if answer.status_code == 200:
        call.account = answer.json()["taximeter"]
        call.record()  # before the answer is given: what is not metered is not given
    return _passed_on(answer)


def _passed_on(answer: httpx.Response) -> HttpResponse:
    response = HttpResponse(answer.content, status=answer.status_code, content_type="application/json")
    if "Retry-After" in answer.headers:
        response["Retry-After"] = answer.headers["Retry-After"]
    return response


def _relay(answer: httpx.Response, call: MeteredCall) -> Iterator[bytes]:
    """The engine's events, passed on as they come. Its last word waits until the call is recorded.

    The first thing it gives is empty, so that it can be started before anything is there to be read.
    """
    events = engine.read_events(answer)
    try:
        yield b""
        for event, account in events:
            call.account = account or call.account
            if event and event != _DONE:
                yield event
        call.record()
        yield _DONE
    except GeneratorExit:
        _finish_for_nobody(events, call)
        raise
    except TaximeterError as error:
        status = 503 if isinstance(error, EngineUnavailable) else 500
        yield f"data: {json.dumps(error_body(status, error.detail, code=error.code))}\n\n".encode()
    finally:
        answer.close()
        _record_anyway(call)


def _finish_for_nobody(events: Iterator[tuple[bytes, Any]], call: MeteredCall) -> None:
    """The client left: call the work off, and wait to be told what it used."""
    engine.call_off(call.id)
    try:
        for _, account in events:
            call.account = account or call.account
    except EngineUnavailable:
        logger.warning("call %s: the engine went away; what it used is known up to the last word", call.id)


def _record_anyway(call: MeteredCall) -> None:
    try:
        call.record()
    except Exception:
        logger.exception("call %s was served and could not be recorded: %s", call.id, call.account)
        raise
