"""The fake over HTTP: keys, idempotency, lists, and what goes wrong on the way."""

from __future__ import annotations

import hashlib
import hmac
import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

from tests.collection.stripe_fake.faults import Fault, Hold
from tests.collection.stripe_fake.forms import decode
from tests.collection.stripe_fake.state import ApiError, State, missing

KEY, SECRET = "sk_test_fake_key_0001", "whsec_fake_secret"

_TABLES = {
    "payment_intents": "payment_intent",
    "refunds": "refund",
    "disputes": "dispute",
    "customers": "customer",
    "events": "event",
    "payment_methods": "payment_method",
}
_FILTERS = ("customer", "payment_intent", "charge")


class StripeFake(State):
    """A Stripe account at `address`, with the key `KEY` and webhooks signed with `SECRET`."""

    def __init__(self) -> None:
        super().__init__()
        self.lock = threading.RLock()
        self.keys: dict[str, dict[str, Any]] = {}
        self.faults: list[tuple[str, Fault]] = []
        self.holds: list[tuple[str, Hold]] = []
        self.requests: list[tuple[str, str, str]] = []
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
        self._server.daemon_threads = True
        self._server.fake = self
        self.address = f"http://127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        for _, hold in self.holds:
            hold.release.set()
        self._server.shutdown()
        self._server.server_close()

    def fail(self, path: str, *faults: Fault) -> None:
        """Let the next requests that begin with `path`, such as `POST /v1/refunds`, go wrong, one by one."""
        self.faults += [(path, fault) for fault in faults]

    @contextmanager
    def holding(self, path: str, moment: str) -> Iterator[Hold]:
        """Keep the next request that begins with `path` waiting, `before` or `after` it is worked on."""
        hold = Hold(moment)
        self.holds.append((path, hold))
        try:
            yield hold
        finally:
            hold.release.set()

    def forget_keys(self) -> None:
        """A day has passed."""
        self.keys.clear()

    def signed(self, event: dict[str, Any], *, at: float | None = None, secret: str = SECRET) -> tuple[bytes, str]:
        """The body and the `Stripe-Signature` of a webhook."""
        body, seconds = json.dumps(event).encode(), int(at or time.time())
        mark = hmac.new(secret.encode(), f"{seconds}.".encode() + body, hashlib.sha256).hexdigest()
        return body, f"t={seconds},v1={mark}"

    # --- answering

    def take(self, path: str, what: list[Any]) -> Any:
        for place, (begin, found) in enumerate(what):
            if path.startswith(begin):
                del what[place]
                return found
        return None

    def work(self, method: str, path: str, form: dict[str, Any]) -> dict[str, Any]:
        parts = path.removeprefix("/v1/").split("/")
        if method == "POST":
            makers = {
                "customers": self.create_customer,
                "payment_intents": self.create_intent,
                "refunds": self.create_refund,
                "billing/meter_events": self.create_meter_event,
                "checkout/sessions": self.create_session,
            }
            if maker := makers.get("/".join(parts)):
                return maker(form)
        elif parts[:2] == ["billing", "meters"]:
            if len(parts) == 2:
                return self._list("billing.meter", path, form)
            if parts[3:] == ["event_summaries"]:
                return self.event_summaries(parts[2], form)
        elif parts[0] in _TABLES and method == "GET":
            table = _TABLES[parts[0]]
            return self.get(table, parts[1]) if len(parts) == 2 else self._list(table, path, form)
        raise missing("path", path)

    def _list(self, table: str, path: str, form: dict[str, Any]) -> dict[str, Any]:
        rows = sorted(self.tables[table].values(), key=lambda one: one["id"], reverse=True)
        for name in _FILTERS:
            if name in form:
                rows = [one for one in rows if one.get(name) == form[name]]
        if "types" in form:
            types = set(form["types"].values())
            rows = [one for one in rows if one["type"] in types]
        if since := form.get("created", {}).get("gte"):
            rows = [one for one in rows if one["created"] >= int(since)]
        if after := form.get("starting_after"):
            rows = [one for one in rows if one["id"] < after]
        limit = int(form.get("limit", 10))
        return {"object": "list", "url": path, "has_more": len(rows) > limit, "data": rows[:limit]}


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    #: Headers and body are written one after the other: the second is not to wait until the first is acknowledged.
    disable_nagle_algorithm = True

    def log_message(self, *_: Any) -> None:
        pass

    def do_GET(self) -> None:
        self._serve("")

    def do_POST(self) -> None:
        self._serve(self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode())

    def _serve(self, body: str) -> None:
        self.fake: StripeFake = self.server.fake
        parts = urlsplit(self.path)
        named = f"{self.command} {parts.path}"
        key = self.headers.get("Idempotency-Key") or ""
        with self.fake.lock:
            self.fake.requests.append((self.command, parts.path, key))
            hold, fault = self.fake.take(named, self.fake.holds), self.fake.take(named, self.fake.faults)
        if self.headers.get("Authorization") != f"Bearer {KEY}":
            return self._answer(401, {"error": {"type": "invalid_request_error", "message": "Invalid API Key"}})
        if hold and hold.moment == "before":
            hold.wait()
        if fault == Fault.CUT_BEFORE:
            return self._cut()
        if fault == Fault.TOO_MANY:
            return self._answer(429, {"error": {"type": "invalid_request_error", "code": "rate_limit"}})
        if fault == Fault.UNAVAILABLE:
            return self._answer(503, {"error": {"type": "api_error", "message": "Unavailable"}})
        with self.fake.lock:
            status, answer, replayed = self._once(key, parts, body, fault)
        if hold and hold.moment == "after":
            hold.wait()
        if fault == Fault.CUT_AFTER:
            return self._cut()
        return self._answer(status, answer, replayed=replayed)

    def _once(self, key: str, parts: Any, body: str, fault: Fault | None) -> tuple[int, dict[str, Any], bool]:
        """Source: https://docs.stripe.com/api/idempotent_requests."""
        asked, keys = (self.command, parts.path, body), self.fake.keys
        if key and self.command == "POST" and (known := keys.get(key)):
            if known["asked"] != asked:
                message = (
                    "Keys for idempotent requests can only be used with the same parameters they were first used with"
                )
                return 400, {"error": {"type": "idempotency_error", "message": message}}, False
            return known["status"], known["answer"], True
        status, answer, is_kept = self._work(parts, body, fault)
        if key and self.command == "POST" and is_kept:
            # What is remembered is the answer as it was then, not the object as it becomes.
            keys[key] = {"asked": asked, "status": status, "answer": json.loads(json.dumps(answer))}
        return status, answer, False

    def _work(self, parts: Any, body: str, fault: Fault | None) -> tuple[int, dict[str, Any], bool]:
        error = {"error": {"type": "api_error", "message": "An unknown error occurred"}}
        if fault == Fault.ERROR_BEFORE:
            return 500, error, True
        try:
            answer = self.fake.work(self.command, parts.path, decode(body or parts.query))
        except ApiError as refusal:
            status, answer, is_kept = refusal.status, refusal.body, refusal.is_kept
        else:
            status, is_kept = 200, True
        return (500, error, True) if fault == Fault.ERROR_AFTER else (status, answer, is_kept)

    def _cut(self) -> None:
        self.close_connection = True
        self.connection.close()

    def _answer(self, status: int, answer: dict[str, Any], *, replayed: bool = False) -> None:
        body = json.dumps(answer, default=str).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        if replayed:
            self.send_header("Idempotent-Replayed", "true")
        self.end_headers()
        self.wfile.write(body)
