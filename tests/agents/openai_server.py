"""A server that speaks OpenAI's API as vLLM, Ollama and hosted ones do, and answers what a test tells it to."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

#: An answer: the tool and its arguments, a status, or a function of the request that gives one of them.
Answer = dict[str, Any] | int | Callable[[dict[str, Any]], Any]


class OpenAiServer:
    """Use in a `with` block. Each request takes the next answer; the last one stays."""

    def __init__(self, *answers: Answer, log_probability: float = -0.1) -> None:
        self.answers, self.requests, self.keys = list(answers), [], []
        self.log_probability = log_probability
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                outer.requests.append(body)
                outer.keys.append(self.headers["Authorization"])
                answer = outer.answers.pop(0) if len(outer.answers) > 1 else outer.answers[0]
                while callable(answer):
                    answer = answer(body)
                status = answer if isinstance(answer, int) else 200
                self._send(status, outer.completion(body, answer) if isinstance(answer, dict) else {"error": {}})

            def do_GET(self) -> None:
                self._send(200, {"data": [{"id": "tiny"}]})

            def _send(self, status: int, body: dict[str, Any]) -> None:
                content = json.dumps(body).encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, *_: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self.address = f"http://127.0.0.1:{self._server.server_address[1]}"

    def completion(self, body: dict[str, Any], answer: dict[str, Any]) -> dict[str, Any]:
        """100 tokens in, 40 of them cached, and 10 out."""
        text = json.dumps(answer)
        choice: dict[str, Any] = {"message": {"role": "assistant", "content": text}, "finish_reason": "stop"}
        if body.get("logprobs"):
            pieces = [text[i : i + 5] for i in range(0, len(text), 5)]
            choice["logprobs"] = {"content": [{"token": one, "logprob": self.log_probability} for one in pieces]}
        usage = {"prompt_tokens": 100, "completion_tokens": 10, "prompt_tokens_details": {"cached_tokens": 40}}
        return {"id": "c", "model": body["model"], "choices": [choice], "usage": usage}

    def __enter__(self) -> OpenAiServer:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
