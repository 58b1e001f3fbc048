"""The two laws of compute accounting (`docs/compute.md`), on this machine as it is.

    python -m bench compute [ROUNDS] [TOKENS]

(a) The compute seconds of requests add up to the processor time that the engine process used while it worked on
them: one at a time, and several side by side. (b) Equal requests cost equal compute seconds: with the machine
as it is, and with two neighbours that use a core each.
"""

from __future__ import annotations

import http.client
import json
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

from launcher import process
from launcher.paths import ROOT

SECRET = "secret of the engine in benchmarks"
#: Prompts of about 100 to 700 tokens, answers of a quarter to the whole of TOKENS.
MIX = [(1, 4), (4, 1), (10, 2), (2, 4), (6, 3), (1, 1), (8, 4), (3, 2)]
WORDS = "The keeper of the lighthouse writes down each evening what the sea has brought. "


def main(rounds: int = 10, tokens: int = 96) -> None:
    alone: list[float] = []
    for slots in (1, 2, 4):
        with _engine(slots) as engine:
            shares = _sums(engine, slots, tokens)
            alone = alone or shares
            off = [abs(share / one - 1) for share, one in zip(shares, alone, strict=True)]
            print(
                f"    a request's share is {100 * statistics.mean(off):.1f} % off its share one at a time, on average"
            )
    with _engine(1) as engine:
        _repeats(engine, "the machine as it is", rounds, tokens)
        with _neighbours(2):
            _repeats(engine, "two busy neighbours", rounds, tokens)


@dataclass(frozen=True, slots=True)
class Engine:
    socket: Path
    pid: int

    def chat(self, *, sentences: int, tokens: int) -> dict[str, Any]:
        """The account of a request whose answer has exactly `tokens` tokens."""
        flags = {"type": "array", "items": {"type": "boolean"}, "minItems": 2 * tokens}
        body = {
            "model": "smollm2-135m-instruct", "messages": [{"role": "user", "content": WORDS * sentences}],
            "max_tokens": tokens, "temperature": 0,
            "response_format": {"type": "json_schema", "json_schema": {"name": "flags", "schema": flags}},
        }  # fmt: skip
        connection = http.client.HTTPConnection("engine", timeout=600)
        connection.sock = socket.socket(socket.AF_UNIX)
        connection.sock.connect(str(self.socket))
        connection.request(
            "POST", "/v1/chat/completions", json.dumps(body).encode(), {"Authorization": f"Bearer {SECRET}"}
        )
        answer = connection.getresponse()
        content = json.loads(answer.read())
        connection.close()
        assert answer.status == 200, content
        return dict(content["taximeter"])

    def processor_seconds(self) -> float:
        """Of the process in all, to a hundredth."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _sums(engine: Engine, slots: int, tokens: int) -> list[float]:
    """Law (a); returns each request's share of the compute seconds."""
    before = engine.processor_seconds()
    with ThreadPoolExecutor(slots) as pool:
        accounts = list(pool.map(lambda one: engine.chat(sentences=4 * one[0], tokens=tokens * one[1] // 4), MIX))
    time.sleep(0.05)
    spent = engine.processor_seconds() - before
    seconds = [Decimal(account["compute_seconds"]) for account in accounts]
    used = float(sum(seconds))
    print(
        f"  {slots} side by side: {len(accounts)} requests, {used:.2f} compute seconds, "
        f"{spent:.2f} of processor, {100 * (used / spent - 1):+.2f} %"
    )
    return [float(one) / used for one in seconds]


def _repeats(engine: Engine, name: str, rounds: int, tokens: int) -> None:
    engine.chat(sentences=6, tokens=tokens)
    compute, wall = [], []
    for _ in range(rounds):
        began = time.perf_counter()
        account = engine.chat(sentences=6, tokens=tokens)
        wall.append(time.perf_counter() - began)
        compute.append(float(account["compute_seconds"]))
    print(
        f"  {rounds} equal requests of {account['input_tokens']} + {account['output_tokens']} tokens, {name}: "
        f"compute {statistics.mean(compute):.2f} s, coefficient of variation {_variation(compute):.1f} %; "
        f"wall {statistics.mean(wall):.2f} s, {_variation(wall):.1f} %"
    )


def _variation(values: list[float]) -> float:
    return 100 * statistics.stdev(values) / statistics.mean(values)


@contextmanager
def _engine(slots: int) -> Iterator[Engine]:
    with tempfile.TemporaryDirectory(prefix="taximeter-bench-") as directory:
        path = Path(directory) / "engine.sock"
        command = [sys.executable, "-m", "inference.engine", "--socket", str(path), "--slots", str(slots)]
        environment = os.environ | {"TAXIMETER_ENGINE_SECRET": SECRET}
        log = Path(directory) / "engine.log"
        running = process.start(command, log=log, environment=environment, cwd=ROOT)
        try:
            assert process.wait_until(path.exists, seconds=60, interval=0.1), process.tail(log)
            yield Engine(path, running.pid)
        finally:
            process.stop(running, seconds=15)


@contextmanager
def _neighbours(count: int) -> Iterator[None]:
    busy = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(count)]
    try:
        yield
    finally:
        for one in busy:
            one.kill()
            one.wait()
