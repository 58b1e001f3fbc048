"""Requests to addresses that members enter: an `httpx` transport that goes where webhooks may go, and nowhere else.

The address that a name leads to is checked, and then connected to, so that a name cannot lead elsewhere in between (DNS
rebinding). Redirects are not followed, and answers have an end.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from typing import Any

import httpx
from django.conf import settings

from kernel.targets import read_url, usable

#: Seconds for all of one answer, and its length.
_SECONDS, _MOST_BYTES = 10.0, 1024 * 1024


class CheckedTransport(httpx.BaseTransport):
    """Raises `kernel.targets.UrlRefused`, `AddressRefused`, and httpx's errors."""

    def __init__(self) -> None:
        self._inner = httpx.HTTPTransport(trust_env=False)

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        allowed = settings.WEBHOOK_ALLOWED_NETWORKS
        target = read_url(str(request.url), allows_http=settings.WEBHOOK_HTTP, allowed=allowed)
        try:
            found = socket.getaddrinfo(target.host, target.port, type=socket.SOCK_STREAM)
        except OSError:
            raise httpx.ConnectError(f"{target.host} is not a known name", request=request) from None
        address = usable([str(one[4][0]) for one in found], allowed=allowed)[0]
        request.headers["Accept-Encoding"] = "identity"
        request.headers["Host"] = target.host_header
        request.extensions = {**request.extensions, "sni_hostname": target.host}
        request.url = request.url.copy_with(host=address)
        response = self._inner.handle_request(request)
        response.headers.pop("Content-Encoding", None)  # a small answer does not grow
        assert isinstance(response.stream, httpx.SyncByteStream)
        response.stream = _Bounded(response.stream, request)
        return response

    def close(self) -> None:
        self._inner.close()


class _Bounded(httpx.SyncByteStream):
    def __init__(self, stream: httpx.SyncByteStream, request: httpx.Request) -> None:
        self._stream, self._request = stream, request
        self._ends = time.monotonic() + _SECONDS

    def __iter__(self) -> Iterator[bytes]:
        length = 0
        for part in self._stream:
            length += len(part)
            if length > _MOST_BYTES or time.monotonic() > self._ends:
                raise httpx.ReadError("The answer is too long", request=self._request)
            yield part

    def close(self) -> None:
        self._stream.close()


def checked_options() -> dict[str, Any]:
    """Options of an `httpx.Client` that uses the transport."""
    return {"transport": CheckedTransport(), "timeout": 5.0, "follow_redirects": False, "trust_env": False}
