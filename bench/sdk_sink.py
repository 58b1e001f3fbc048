"""A server that throws everything away and says it has it; prints its port. One process of `python -m bench sdk`."""

from __future__ import annotations

import gzip
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Sink(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        answer, status = b"{}", 200
        if self.path == "/api/v1/events" and self.headers.get("Content-Encoding") == "gzip":
            number = gzip.decompress(body).count(b'"specversion"')
            answer = b'{"accepted": %d, "duplicates": 0, "rejected": []}' % number
        elif self.path == "/api/v1/events":
            answer, status = b"", 204  # what openmeter's client expects
        elif "otel" in self.path or "traces" in self.path:
            answer = b""
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_: object) -> None:
        pass


if __name__ == "__main__":
    server = ThreadingHTTPServer(("127.0.0.1", 0), Sink)
    server.daemon_threads = True
    print(server.server_port, flush=True)
    server.serve_forever()
