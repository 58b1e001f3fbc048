"""A receiver of webhooks that fails a part of the time, in a process of its own.

    python -m bench._webhook_receiver SECRET FAILING

Prints its port, answers until its standard input ends, then prints what it saw as JSON. FAILING is the part of the
requests that fail (0 to 1): half of those with a status, half by closing the connection without a word.
"""

from __future__ import annotations

import asyncio
import json
import random
import sys
from collections import Counter
from dataclasses import dataclass, field

from standardwebhooks import Webhook, WebhookVerificationError


@dataclass
class Seen:
    counts: Counter[str] = field(default_factory=Counter)
    #: The last number that was accepted of each subject.
    accepted: dict[str, int] = field(default_factory=dict)
    ids: set[str] = field(default_factory=set)


class Receiver(asyncio.Protocol):
    """Just enough HTTP/1.1 for what sends here: requests with a length, one after the other."""

    def __init__(self, seen: Seen, webhook: Webhook, failing: float) -> None:
        self._seen, self._webhook, self._failing = seen, webhook, failing
        self._buffer = b""
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._seen.counts["connections"] += 1

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        while b"\r\n\r\n" in self._buffer:
            head, _, rest = self._buffer.partition(b"\r\n\r\n")
            lines = head.decode("latin-1").split("\r\n")[1:]
            headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
            length = int(headers.get("content-length", "0"))
            if len(rest) < length:
                return
            self._buffer = rest[length:]
            self._answer(headers, rest[:length])

    def _answer(self, headers: dict[str, str], body: bytes) -> None:
        assert self._transport is not None
        counts = self._seen.counts
        counts["requests"] += 1
        try:
            payload = self._webhook.verify(body, headers)
        except WebhookVerificationError:
            counts["wrong signatures"] += 1
            self._transport.write(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")
            return
        subject, number = payload["data"]["subject"], payload["data"]["number"]
        expected = self._seen.accepted.get(subject, 0) + 1
        if number > expected:
            counts["out of order"] += 1
        chance = random.random()
        if chance < self._failing / 2:
            self._transport.close()
        elif chance < self._failing:
            self._transport.write(b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n")
        else:
            counts["accepted"] += 1
            counts["accepted twice"] += headers["webhook-id"] in self._seen.ids
            self._seen.ids.add(headers["webhook-id"])
            self._seen.accepted[subject] = max(number, expected - 1)
            self._transport.write(b"HTTP/1.1 204 No Content\r\n\r\n")


async def _serve(secret: str, failing: float) -> None:
    seen, webhook = Seen(), Webhook(secret)
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Receiver(seen, webhook, failing), "127.0.0.1", 0, backlog=512)
    print(server.sockets[0].getsockname()[1], flush=True)
    await loop.run_in_executor(None, sys.stdin.read)
    server.close()
    subjects = Counter(seen.accepted.values())
    print(json.dumps({**seen.counts, "subjects": len(seen.accepted), "longest": max(subjects, default=0)}), flush=True)


if __name__ == "__main__":
    asyncio.run(_serve(sys.argv[1], float(sys.argv[2])))
