"""The metered door beside llama.cpp alone: the same prompts, the same settings, one run.

    python -m bench door [ROUNDS] [TOKENS]

Raw is llama.cpp's own server in a process of its own, with the parameters that the engine gives it. The door is
the web server as in production, the engine behind it and PostgreSQL with synchronous_commit=on. One stream: one
client, the same prompt there and here, which of them first alternates, so that a noisy machine disturbs both. Four:
four clients at once, whose requests wait for each other in both. Processor time is that of all processes but the
client's.
"""

from __future__ import annotations

import http.client
import json
import os
import socket
import statistics
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench.setting import database
from launcher import process, programs
from launcher.paths import ROOT
from launcher.services import Services
from tests.system import free_port

SECRET = "secret of the engine in benchmarks"
PROMPTS = [
    "Write a short story about a lighthouse keeper and her dog.",
    "Explain to a child how rain is made.",
    "Describe the way from the harbour to the market of an old town.",
    "List things to take along for a week in the mountains, and say why.",
]


def main(rounds: int = 7, tokens: int = 128) -> None:
    with database() as services:
        from accounts.facade import create_api_key, create_organization  # noqa: PLC0415 - Django is set up only now

        _, secret = create_api_key(organization=create_organization(name="Bench"), scopes=["ingest"])
        with _raw(services) as raw, door_on(services, secret) as door:
            print(f"{tokens} tokens an answer, {rounds} rounds, medians of the rounds; ratios are door to raw")
            for groups in ([[prompt] for prompt in PROMPTS], [PROMPTS]):  # one stream, and four
                for place in (raw, door):
                    place.measure(PROMPTS * 4, 2)  # first requests set things up, in each of the web server's processes
                _print(len(groups[0]), _pairs(raw, door, groups * rounds, tokens))


def _pairs(raw: Place, door: Place, groups: list[list[str]], tokens: int) -> list[tuple[Measured, Measured]]:
    """Raw and door for each group of prompts, by turns the one and the other first."""
    pairs = []
    for number, prompts in enumerate(groups):
        if number % 2:
            there = door.measure(prompts, tokens)
            pairs.append((raw.measure(prompts, tokens), there))
        else:
            here = raw.measure(prompts, tokens)
            pairs.append((here, door.measure(prompts, tokens)))
    return pairs


@dataclass(frozen=True, slots=True)
class Measured:
    tokens: int
    seconds: float
    processor_seconds: float
    first_token: float

    @property
    def speed(self) -> float:
        return self.tokens / self.seconds

    @property
    def processor(self) -> float:
        """Milliseconds a token."""
        return 1000 * self.processor_seconds / self.tokens


def _print(clients: int, pairs: list[tuple[Measured, Measured]]) -> None:
    def median(values: Iterator[float]) -> float:
        return statistics.median(values)

    print("  one stream" if clients == 1 else f"  {clients} clients at once")
    for name, side in (("raw", 0), ("door", 1)):
        speed, processor = median(p[side].speed for p in pairs), median(p[side].processor for p in pairs)
        first = median(p[side].first_token for p in pairs) * 1000
        print(
            f"    {name:5} {speed:8.2f} tokens/s  {processor:7.3f} ms of processor a token  first token {first:.0f} ms"
        )
    speeds, processors = [d.speed / r.speed for r, d in pairs], [r.processor / d.processor for r, d in pairs]
    for name, ratios in (("tokens per second", speeds), ("tokens per processor second", processors)):
        low, _, high = statistics.quantiles(ratios, n=4)
        print(f"    {name}: {statistics.median(ratios):.4f} (the middle half {low:.4f} to {high:.4f})")
    spent = [
        sum(pair[side].processor_seconds for pair in pairs) / sum(pair[side].tokens for pair in pairs)
        for side in (0, 1)
    ]
    print(f"    tokens per processor second of all together: {spent[0] / spent[1]:.4f}")


class Place:
    """Somewhere to send chats to: an address, and the processes that answer there, what keeps the engine first."""

    def __init__(self, address: str | int, secret: str, pids: list[int]) -> None:
        self._address, self._secret, self._pids = address, secret, pids
        self.engine = pids[0]

    def measure(self, prompts: list[str], tokens: int) -> Measured:
        """All of `prompts` at once, each by a client of its own."""
        counts, firsts = [0] * len(prompts), [0.0] * len(prompts)

        def ask(number: int) -> None:
            counts[number], firsts[number] = self.chat(prompts[number], tokens)

        spent, began = self._processor(), time.perf_counter()
        threads = [threading.Thread(target=ask, args=(number,)) for number in range(len(prompts))]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        seconds = time.perf_counter() - began
        time.sleep(0.1)  # what is written after the last word
        return Measured(sum(counts), seconds, self._processor() - spent, statistics.median(firsts))

    def chat(self, prompt: str, tokens: int) -> tuple[int, float]:
        """Tokens of the answer, and the seconds to its first piece; `AssertionError` for an answer that is none."""
        body = {
            "model": "smollm2-135m-instruct", "messages": [{"role": "user", "content": prompt}], "temperature": 0,
            "max_tokens": tokens, "stream": True, "stream_options": {"include_usage": True}, "cache_prompt": False,
        }  # fmt: skip
        began, first, usage = time.perf_counter(), 0.0, 0
        connection = _Connection(self._address)
        headers = {"Authorization": f"Bearer {self._secret}", "Content-Type": "application/json"}
        connection.request("POST", "/v1/chat/completions", json.dumps(body).encode(), headers)
        answer = connection.getresponse()
        assert answer.status == 200, answer.read()
        for line in answer:
            if not line.startswith(b"data: {"):
                continue
            first = first or time.perf_counter() - began
            if b'"completion_tokens"' in line:
                usage = (json.loads(line[6:]).get("usage") or {}).get("completion_tokens", usage)
        connection.close()
        return usage, first

    def _processor(self) -> float:
        return sum(_processor_seconds(pid) for root in self._pids for pid in family(root))


class _Connection(http.client.HTTPConnection):
    """To a port of this machine, or to a unix socket."""

    def __init__(self, address: str | int) -> None:
        super().__init__("127.0.0.1", address if isinstance(address, int) else 0, timeout=600)
        self._path = address if isinstance(address, str) else None

    def connect(self) -> None:
        if self._path is None:
            super().connect()
            return
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect(self._path)


def family(pid: int) -> list[int]:
    """A process with its children and theirs."""
    try:
        tasks = list(Path(f"/proc/{pid}/task").iterdir())
        children = [int(child) for task in tasks for child in (task / "children").read_text().split()]
    except FileNotFoundError:
        return []
    return [pid, *(one for child in children for one in family(child))]


def _processor_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@contextmanager
def _raw(services: Services) -> Iterator[Place]:
    path = services.directory / "raw.sock"
    with _running(services, "raw", [sys.executable, "-m", "bench._raw_engine", str(path)], path) as pid:
        yield Place(str(path), SECRET, [pid])


@contextmanager
def door_on(services: Services, secret: str) -> Iterator[Place]:
    """The web server as in production and an engine behind it."""
    port, path = free_port(), services.directory / "engine.sock"
    os.environ |= {"TAXIMETER_ENGINE_SOCKET": str(path), "TAXIMETER_ENGINE_SECRET": SECRET}
    os.environ["TAXIMETER_VAR"] = str(services.directory / "var")
    web = programs.web_server(host="127.0.0.1", port=port)
    postgres = services.postgres
    assert postgres is not None
    with (
        _running(services, "engine", programs.manage("run_engine"), path) as engine,
        _running(services, "web", web, port) as server,
    ):
        yield Place(port, secret, [engine, server, postgres.pid])


@contextmanager
def _running(services: Services, name: str, command: list[str], place: Path | int) -> Iterator[int]:
    log = services.directory / f"{name}.log"
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "sdk" / "src")])}
    running = process.start(command, log=log, environment=environment, cwd=ROOT)
    try:
        assert process.wait_until(lambda: _answers(place), seconds=60, interval=0.1), process.tail(log)
        yield running.pid
    finally:
        process.stop(running, seconds=15)


def _answers(place: Path | int) -> bool:
    try:
        _Connection(place if isinstance(place, int) else str(place)).connect()
    except OSError:
        return False
    return True
