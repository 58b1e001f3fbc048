"""A small S3 that speaks HTTP: single and multipart uploads, listing, deleting; it checks no signatures."""

from __future__ import annotations

import re
import threading
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import md5
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit


class Bucket:
    """What is stored, by key, and what was asked. A key of `forbidden` is refused, with 403."""

    def __init__(self) -> None:
        self.objects: dict[str, bytes] = {}
        self.uploads: dict[str, dict[int, bytes]] = defaultdict(dict)
        self.asked: list[str] = []
        self.signed: list[bool] = []
        self.forbidden: set[str] = set()
        self.port = 0

    @property
    def url(self) -> str:
        return f"s3://books/finance?region=eu-central-1&scheme=http&endpoint_override=127.0.0.1:{self.port}"


@contextmanager
def s3_fake() -> Iterator[Bucket]:
    bucket = Bucket()
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"bucket": bucket}))
    bucket.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield bucket
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _Handler(BaseHTTPRequestHandler):
    bucket: Bucket
    protocol_version = "HTTP/1.1"

    def _begin(self) -> tuple[str, dict[str, list[str]], bytes]:
        address = urlsplit(self.path)
        key = unquote(address.path).removeprefix("/books").strip("/")
        body = self._body()
        self.bucket.asked.append(f"{self.command} {key}")
        self.bucket.signed.append(self.headers.get("Authorization", "").startswith("AWS4-HMAC-SHA256"))
        return key, parse_qs(address.query, keep_blank_values=True), body

    def _body(self) -> bytes:
        if self.headers.get("Transfer-Encoding") == "chunked":
            body = b""
            while size := int(self.rfile.readline().split(b";")[0], 16):
                body += self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
        else:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        is_framed = self.headers.get("x-amz-content-sha256", "").startswith("STREAMING-")
        return _unframed(body) if is_framed else body

    def _answer(self, status: int, body: str = "", **headers: str) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body.encode())))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body.encode())

    def _refused(self, key: str) -> bool:
        if key in self.bucket.forbidden:
            self._answer(403, "<Error><Code>AccessDenied</Code><Message>Access Denied</Message></Error>")
            return True
        return False

    def do_PUT(self) -> None:
        key, query, body = self._begin()
        if self._refused(key):
            return
        if "partNumber" in query:
            self.bucket.uploads[query["uploadId"][0]][int(query["partNumber"][0])] = body
        else:
            self.bucket.objects[key] = body
        self._answer(200, ETag=f'"{md5(body, usedforsecurity=False).hexdigest()}"')

    def do_POST(self) -> None:
        key, query, _ = self._begin()
        if self._refused(key):
            return
        if "uploads" in query:
            self._answer(
                200,
                "<InitiateMultipartUploadResult><Bucket>books</Bucket>"
                f"<Key>{key}</Key><UploadId>upload-{len(self.bucket.asked)}</UploadId></InitiateMultipartUploadResult>",
            )
        else:
            parts = self.bucket.uploads.pop(query["uploadId"][0])
            self.bucket.objects[key] = b"".join(part for _, part in sorted(parts.items()))
            self._answer(200, f"<CompleteMultipartUploadResult><Key>{key}</Key></CompleteMultipartUploadResult>")

    def do_HEAD(self) -> None:
        key, _, _ = self._begin()
        found = self.bucket.objects.get(key)
        if found is None and key:
            self._answer(404)
        else:
            self._answer(200)

    def do_GET(self) -> None:
        _, query, _ = self._begin()
        prefix = query.get("prefix", [""])[0]
        names = sorted(key for key in self.bucket.objects if key.startswith(prefix))
        found = "".join(f"<Contents><Key>{n}</Key><Size>{len(self.bucket.objects[n])}</Size></Contents>" for n in names)
        self._answer(200, f"<ListBucketResult><IsTruncated>false</IsTruncated>{found}</ListBucketResult>")

    def do_DELETE(self) -> None:
        key, query, _ = self._begin()
        if "uploadId" in query:
            self.bucket.uploads.pop(query["uploadId"][0], None)
        else:
            self.bucket.objects.pop(key, None)
        self._answer(204)

    def log_message(self, *_: Any) -> None:
        pass


def _unframed(body: bytes) -> bytes:
    """A body without the frames and trailers of `aws-chunked`."""
    found = b""
    while body:
        head, _, body = body.partition(b"\r\n")
        size = int(re.split(rb"[;\r]", head)[0], 16)
        if not size:
            break
        found, body = found + body[:size], body[size + 2 :]
    return found
