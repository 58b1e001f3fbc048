"""The web server's way to the engine process."""

from __future__ import annotations

import functools
import json
import logging
from collections.abc import Iterator, Mapping
from typing import Any

import httpx
from django.conf import settings

from inference.api.errors import EngineUnavailable

logger = logging.getLogger("inference")
logging.getLogger("httpx").setLevel(logging.WARNING)  # it reports each request

#: A request may wait in line behind long ones; nobody waits longer than this between two words of an answer.
_TIMEOUT = httpx.Timeout(300.0, connect=5.0)

_ACCOUNT = ": taximeter "


@functools.cache
def _client() -> httpx.Client:
    return httpx.Client(
        transport=httpx.HTTPTransport(uds=settings.ENGINE_SOCKET),
        base_url="http://engine",
        headers={"Authorization": f"Bearer {settings.ENGINE_SECRET}"},
        timeout=_TIMEOUT,
    )


def get_models() -> dict[str, Any]:
    """The engine's list of models; raises `EngineUnavailable`."""
    try:
        return dict(_client().get("/v1/models").raise_for_status().json())
    except httpx.HTTPError as error:
        raise _unavailable(error) from None


def send_chat(body: bytes, *, request_id: str, stream: bool) -> httpx.Response:
    """The engine's answer to a chat completion, its body unread where `stream`; raises `EngineUnavailable`."""
    headers = {"Content-Type": "application/json", "X-Request-Id": request_id}
    request = _client().build_request("POST", "/v1/chat/completions", content=body, headers=headers)
    try:
        return _client().send(request, stream=stream)
    except httpx.HTTPError as error:
        raise _unavailable(error) from None


def call_off(request_id: str) -> None:
    """Ask the engine to end a request; its stream then ends with what it used."""
    try:
        _client().delete(f"/v1/requests/{request_id}")
    except httpx.HTTPError:
        logger.warning("request %s could not be called off", request_id)


def read_events(response: httpx.Response) -> Iterator[tuple[bytes, Mapping[str, Any] | None]]:
    """The server-sent events of a stream, each as bytes ready to pass on, with the account that came before it.

    An account on its own comes with empty bytes. Raises `EngineUnavailable` where the stream breaks off.
    """
    account: Mapping[str, Any] | None = None
    try:
        for line in response.iter_lines():
            if line.startswith(_ACCOUNT):
                account = json.loads(line[len(_ACCOUNT) :])
            elif line:
                yield f"{line}\n\n".encode(), account
                account = None
            elif account is not None:
                yield b"", account
                account = None
    except httpx.HTTPError as error:
        raise _unavailable(error) from None


def _unavailable(error: httpx.HTTPError) -> EngineUnavailable:
    logger.warning("the engine did not answer: %s", error)
    return EngineUnavailable("The engine is not answering; try again in a moment")
