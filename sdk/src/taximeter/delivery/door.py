"""One request to the server's events door."""

from __future__ import annotations

import http.client
import json
import time
import urllib.error
import urllib.request
from collections.abc import Sequence
from typing import Any

from taximeter.delivery.answers import Answer, Verdict, receipt_of, retry_after_seconds, verdict_of
from taximeter.encoding import gzip_batch
from taximeter.version import __version__

#: The code of an answer that did not come in time.
TIMED_OUT = "timed_out"

_MAX_ANSWER = 16 * 1024 * 1024
_MAX_PROBLEM = 64 * 1024


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """A key is sent to the address it was given for, and a POST that is redirected would become a GET."""

    def redirect_request(self, *_: Any, **__: Any) -> None:
        return None


class Door:
    """`POST {address}/api/v1/events`. Proxies are taken from the environment, as urllib does.

    `timeout` is in seconds, for the connection, for each wait for bytes and for the answer as a whole.
    """

    def __init__(self, address: str, *, api_key: str, timeout: float = 10.0) -> None:
        if not address.startswith(("http://", "https://")):
            raise ValueError(f"{address!r} is no http:// or https:// address")
        self.address = address.rstrip("/")
        self.url = f"{self.address}/api/v1/events"
        self.timeout = timeout
        self._api_key = api_key
        self._opener = urllib.request.build_opener(_NoRedirects())

    def post(self, payloads: Sequence[bytes]) -> Answer:
        """Sends encoded events as one request. Never raises for what a server or a network can do."""
        headers = {
            "Authorization": f"Bearer {self._api_key}",
            "Content-Type": "application/cloudevents-batch+json",
            "Content-Encoding": "gzip",
            "User-Agent": f"taximeter-python/{__version__}",
        }
        request = urllib.request.Request(  # noqa: S310 - the scheme is checked above
            self.url, data=gzip_batch(payloads), headers=headers, method="POST"
        )
        try:
            with self._opener.open(request, timeout=self.timeout) as response:
                receipt = receipt_of(json.loads(self._read(response)), sent=len(payloads))
                return Answer(Verdict.STORED, status=response.status, receipt=receipt)
        except urllib.error.HTTPError as error:
            return self._refusal(error, events=len(payloads))
        except (OSError, http.client.HTTPException, ValueError, KeyError, TypeError) as error:
            # No whole answer: the batch may or may not be stored, and sending it again is safe.
            code = TIMED_OUT if _is_timeout(error) else "no_answer"
            return Answer(Verdict.AGAIN, f"no answer from {self.url}: {_named(error)}", code=code)

    def _read(self, response: http.client.HTTPResponse) -> bytes:
        """The body, within the time and size that an answer may take. A body that ends early raises."""
        deadline = time.monotonic() + self.timeout
        parts: list[bytes] = []
        size = 0
        while part := response.read1(65536):
            parts.append(part)
            size += len(part)
            if size > _MAX_ANSWER or time.monotonic() > deadline:
                raise TimeoutError("the answer is too long or takes too long")
        return b"".join(parts)

    def _refusal(self, error: urllib.error.HTTPError, *, events: int) -> Answer:
        with error:
            try:
                body = error.read(_MAX_PROBLEM).decode(errors="replace")
            except (OSError, http.client.HTTPException):
                body = ""
        retry_after = retry_after_seconds(dict(error.headers.items())) if error.headers else None
        reason = f"the server answered {error.code}"
        if 300 <= error.code < 400:
            reason += f", a redirection to {error.headers.get('Location')}: give that address instead"
        elif body:
            reason += f": {body[:2000]}"
        code = _code(body)
        verdict = verdict_of(error.code, code=code, events=events)
        return Answer(verdict, reason, code or f"http_{error.code}", error.code, retry_after)


def _code(body: str) -> str | None:
    """The `code` of a problem, as Taximeter describes each (RFC 9457)."""
    try:
        code = json.loads(body).get("code")
    except (ValueError, AttributeError):
        return None
    return str(code) if code else None


def _is_timeout(error: Exception) -> bool:
    return isinstance(error, TimeoutError) or isinstance(getattr(error, "reason", None), TimeoutError)


def _named(error: Exception) -> str:
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
