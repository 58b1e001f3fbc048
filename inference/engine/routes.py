"""What the engine answers at which path."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from inference.domain.answers import Answer, ChatAnswer, CompletionAnswer, embeddings, usage_counts
from inference.domain.chat import parse_chat_request
from inference.domain.completions import parse_completion_request, parse_embedding_request
from inference.domain.requests import RequestError, TextRequest, as_object, model_of
from inference.engine.reply import Pulse, Reply
from inference.engine.service import EngineService

if TYPE_CHECKING:
    from inference.engine.http import EngineRequestHandler

_STATUS = {"model_not_found": 404, "model_recalled": 403, "engine_memory_full": 503, "body_too_large": 413}
_TYPES = {403: "permission_error", 429: "rate_limit_error"}

#: Does what a path asks for, with the last part of the path or the parameters of the query.
Route = Callable[["EngineRequestHandler", Any], None]


def health(service: EngineService) -> dict[str, Any]:
    return {
        "status": "ok",
        "requests": len(service.line),
        "models": [entry.id for entry in service.catalogue.entries() if service.pool.is_loaded(entry.digest)],
    }


def _chat(handler: EngineRequestHandler, _: Any) -> None:
    request = _parsed(parse_chat_request, handler)
    _answer(handler, request, ChatAnswer(may_call=request.generation.starts_call), "chatcmpl")


def _complete(handler: EngineRequestHandler, _: Any) -> None:
    _answer(handler, _parsed(parse_completion_request, handler), CompletionAnswer(), "cmpl")


def _answer(handler: EngineRequestHandler, request: TextRequest, answer: Answer, prefix: str) -> None:
    # Of a metered call the answer's id names it, so that it is known again in what a client reports of it.
    reply = Reply(handler, request, answer, f"{prefix}-{handler.headers.get('X-Request-Id') or uuid.uuid4().hex}")
    usage, entry = handler.service.answer(request, reply.on_text, caller=handler.caller(reply.id))
    reply.finish(usage, entry)


def _embed(handler: EngineRequestHandler, _: Any) -> None:
    request = _parsed(parse_embedding_request, handler)
    service = handler.service
    caller = handler.caller(f"embd-{uuid.uuid4().hex}")
    vectors, usage, entry = service.embed(request, Pulse(handler).beat, caller=caller)
    if usage.finish_reason != "stop":  # some vectors are no answer; what they took is told all the same
        error: dict[str, str | None] = {
            "message": "The request was ended before all of its texts were done",
            "type": "server_error",
        }
        error |= {"param": None, "code": f"request_{usage.finish_reason}"}
        handler.send_whole(503, {"error": error, "taximeter": service.account(usage, entry)})
        return
    counts = {name: usage_counts(usage)[name] for name in ("prompt_tokens", "total_tokens")}
    answer = {
        "object": "list",
        "model": entry.id,
        "data": embeddings(vectors, as_base64=request.as_base64),
        "usage": counts,
        "taximeter": service.account(usage, entry),
    }
    handler.send_whole(200, answer)


def _parsed(parse: Callable[[object], Any], handler: EngineRequestHandler) -> Any:
    try:
        return parse(handler.body())
    except RecursionError:
        raise RequestError("The body is nested too deeply") from None


def _models(handler: EngineRequestHandler, _: Any) -> None:
    """The models of the catalogue in the shape of OpenAI's list, with what their files say of themselves."""
    service = handler.service
    data = [
        {
            "id": entry.id,
            "object": "model",
            "created": service.started_at,
            "owned_by": "taximeter",
            "taximeter": {
                "digest": entry.digest,
                "architecture": entry.file.metadata.architecture,
                "quantization": entry.file.metadata.quantization,
                "context_length": min(
                    service.config.context, entry.file.metadata.context_length or service.config.context
                ),
                "parameters": entry.file.metadata.parameters,
                "license": entry.file.metadata.license,
                "embeddings": bool(entry.file.metadata.pooling),
                "loaded": service.pool.is_loaded(entry.digest),
                "memory_bytes": service.pool.needed(entry.file),
            },
        }
        for entry in service.catalogue.entries()
    ]
    handler.send(200, {"object": "list", "data": data})


def _load(handler: EngineRequestHandler, _: Any) -> None:
    entry = handler.service.load(_parsed(_named, handler))
    handler.send(200, {"model": entry.id, "loaded": True})


def _unload(handler: EngineRequestHandler, _: Any) -> None:
    name = _parsed(_named, handler)
    handler.send(200, {"model": name, "unloaded": handler.service.unload(name)})


def _named(body: object) -> str:
    return model_of(as_object(body))


def _call_off(handler: EngineRequestHandler, request_id: Any) -> None:
    handler.send(200, {"cancelled": handler.service.call_off(str(request_id))})


def _metrics(handler: EngineRequestHandler, _: Any) -> None:
    service = handler.service
    now: dict[tuple[str, tuple[tuple[str, str], ...]], float] = {
        ("requests_waiting", ()): service.line.waiting,
        ("requests_running", ()): service.line.running,
        ("model_loads_total", ()): service.pool.loads,
        ("model_unloads_total", ()): service.pool.unloads,
        ("memory_bytes", ()): service.pool.memory_bytes,
        ("memory_limit_bytes", ()): service.config.memory_bytes,
        ("calls_unrecorded", ()): len(service.spool) if service.spool is not None else 0,
        **{
            ("model_loaded", (("model", entry.id),)): 1
            for entry in service.catalogue.entries()
            if service.pool.is_loaded(entry.digest)
        },
    }
    text = service.metrics.text(now)
    handler.send_bytes(200, text.encode(), "text/plain; version=0.0.4; charset=utf-8")


def _unrecorded(handler: EngineRequestHandler, query: Mapping[str, str]) -> None:
    """Finished calls that nobody has recorded `older_than` seconds after their end."""
    spool = handler.service.spool
    try:
        older_than, limit = float(query.get("older_than", "0")), int(query.get("limit", "1000"))
    except (ValueError, AttributeError):
        raise RequestError("'older_than' and 'limit' must be numbers") from None
    handler.send(200, {"data": spool.unrecorded(older_than=older_than, limit=limit) if spool is not None else []})


def _recorded(handler: EngineRequestHandler, _: Any) -> None:
    ids = as_object(handler.body()).get("ids")
    if not isinstance(ids, list) or not all(isinstance(one, str) for one in ids):
        raise RequestError("'ids' must be a list of texts", param="ids")
    if handler.service.spool is not None:
        handler.service.spool.recorded(ids)
    handler.send(200, {"recorded": len(ids)})


_ROUTES: dict[tuple[str, str], Route] = {
    ("POST", "/v1/chat/completions"): _chat,
    ("POST", "/v1/completions"): _complete,
    ("POST", "/v1/embeddings"): _embed,
    ("GET", "/v1/models"): _models,
    ("POST", "/v1/models/load"): _load,
    ("POST", "/v1/models/unload"): _unload,
    ("DELETE", "/v1/requests/*"): _call_off,
    ("GET", "/metrics"): _metrics,
    ("GET", "/v1/calls"): _unrecorded,
    ("POST", "/v1/calls/recorded"): _recorded,
}


def find(method: str, path: str) -> tuple[Route | None, str]:
    """What answers at `path`, and the part of it that a `*` stands for."""
    route = _ROUTES.get((method, path))
    if route is not None:
        return route, ""
    parent, _, last = path.rpartition("/")
    return _ROUTES.get((method, f"{parent}/*")), last


def status_of(error: RequestError) -> int:
    return _STATUS.get(error.code, 400)


def type_of(status: int) -> str:
    return _TYPES.get(status, "invalid_request_error" if status < 500 else "server_error")
