"""A small OpenID Connect provider over HTTP, with real signatures, which a test can make misbehave."""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

from joserfc import jwt
from joserfc.jwk import OctKey, RSAKey

CLIENT_ID, CLIENT_SECRET = "taximeter at northwind", "client secret"


class Provider:
    """`claims` are those of the person who signs in; `mangle` changes a token's claims before they are signed."""

    def __init__(self) -> None:
        self.key, self.forger = RSAKey.generate_key(2048, {"kid": "1"}), RSAKey.generate_key(2048, {"kid": "1"})
        self.claims: dict[str, Any] = {
            "sub": "ada-1", "email": "ada@northwind.example", "email_verified": True, "name": "Ada L",
            "groups": ["staff", "accounting"],
        }  # fmt: skip
        self.changes: dict[str, Any] = {}
        self.signing = "right"
        self.metadata_changes: dict[str, Any] = {}
        self.is_down_at: str | None = None
        self.asked: list[str] = []
        self._codes: dict[str, dict[str, str]] = {}
        provider = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                provider._get(self)

            def do_POST(self) -> None:
                provider._post(self)

            def log_message(self, *_: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.issuer = f"http://127.0.0.1:{self.server.server_address[1]}"

    def _get(self, request: Any) -> None:
        parts = urlsplit(request.path)
        self.asked.append(parts.path)
        if parts.path == self.is_down_at:
            request.connection.close()
            return
        if parts.path == "/.well-known/openid-configuration":
            metadata = {
                "issuer": self.issuer,
                "authorization_endpoint": f"{self.issuer}/authorize",
                "token_endpoint": f"{self.issuer}/token",
                "jwks_uri": f"{self.issuer}/keys",
            }
            _answer(request, metadata | self.metadata_changes)
        elif parts.path == "/keys":
            _answer(request, {"keys": [self.key.as_dict(private=False)]})
        elif parts.path == "/authorize":
            asked = {name: values[0] for name, values in parse_qs(parts.query).items()}
            code = secrets.token_urlsafe(8)
            self._codes[code] = asked
            back = urlencode({"code": code, "state": asked["state"], "iss": self.issuer})
            request.send_response(302)
            request.send_header("Location", f"{asked['redirect_uri']}?{back}")
            request.end_headers()
        else:
            request.send_error(404)

    def _post(self, request: Any) -> None:
        self.asked.append(request.path)
        if request.path == self.is_down_at:
            request.connection.close()
            return
        form = parse_qs(request.rfile.read(int(request.headers["Content-Length"])).decode())
        given = base64.b64decode(request.headers.get("Authorization", "Basic ").split()[1]).decode()
        asked = self._codes.pop(form["code"][0], None)
        challenge = base64.urlsafe_b64encode(hashlib.sha256(form["code_verifier"][0].encode()).digest()).rstrip(b"=")
        is_right = asked is not None and asked["code_challenge"] == challenge.decode()
        secret_is_right = given in {f"{CLIENT_ID}:{CLIENT_SECRET}", "taximeter+at+northwind:client+secret",
                                    "taximeter%20at%20northwind:client%20secret"}  # fmt: skip
        if not is_right or not secret_is_right or asked["redirect_uri"] != form["redirect_uri"][0]:
            _answer(request, {"error": "invalid_grant"}, status=400)
            return
        _answer(request, {"access_token": "x", "token_type": "Bearer", "id_token": self._token(asked["nonce"])})

    def _token(self, nonce: str) -> str:
        now = int(time.time())
        claims = {
            "iss": self.issuer, "aud": CLIENT_ID, "iat": now, "exp": now + 300, "nonce": nonce,
            **self.claims, **self.changes,
        }  # fmt: skip
        claims = {name: value for name, value in claims.items() if value is not None}
        if self.signing == "none":
            parts = [_encoded({"alg": "none"}), _encoded(claims), ""]
            return ".".join(parts)
        if self.signing == "public key as secret":
            key = OctKey.import_key(self.key.as_pem(private=False))
            return jwt.encode({"alg": "HS256", "kid": "1"}, claims, key, algorithms=["HS256"])
        key = self.forger if self.signing == "forged" else self.key
        header: dict[str, Any] = {"alg": "RS256", "kid": "1"}
        if self.signing == "own key":
            key, header = self.forger, header | {"jwk": self.forger.as_dict(private=False)}
        return jwt.encode(header, claims, key)


def _encoded(value: Any) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


def _answer(request: Any, value: Any, *, status: int = 200) -> None:
    body = json.dumps(value).encode()
    request.send_response(status)
    request.send_header("Content-Type", "application/json")
    request.send_header("Content-Length", str(len(body)))
    request.end_headers()
    request.wfile.write(body)


@contextmanager
def running() -> Iterator[Provider]:
    provider = Provider()
    thread = threading.Thread(target=provider.server.serve_forever, daemon=True)
    thread.start()
    try:
        yield provider
    finally:
        provider.server.shutdown()
        provider.server.server_close()
