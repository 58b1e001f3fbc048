"""The usage stream: what many clients on one question cost the database and the web server, beside one client.

A writer sends an event every half second; every client asks as an EventSource does, when `retry` says. Without the
stream, a client that asks `usage` every two seconds costs the database that many questions.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import socket
import statistics
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import httpx

from bench.setting import database
from launcher import process, programs
from launcher.paths import ROOT
from launcher.services import Services

_STATEMENT = re.compile(r"LOG:  (?:statement|execute [^:]*): ")
_HISTORY = 50_000
_FIRST = datetime(2026, 10, 1, tzinfo=UTC)
_PATH = "/api/v1/meters/turns/{}?from=2026-10-01T00:00:00Z&to=2026-11-01T00:00:00Z&group_by=agent"


@dataclass
class Seen:
    """What the clients of one run saw: delays in seconds between a write's answer and their hearing of it."""

    before: int
    replies: int = 0
    delays: list[float] = field(default_factory=list)
    written: list[float] = field(default_factory=list)


def main(seconds: int = 20, *clients: int) -> None:
    with database() as services:
        secret, port = _vendor(), _free_port()
        web = process.start(
            programs.web_server(host="127.0.0.1", port=port),
            log=services.directory / "web.log",
            environment=os.environ | {"PYTHONPATH": f"{ROOT}:{ROOT / 'sdk' / 'src'}"},
            cwd=ROOT,
        )
        try:
            assert process.wait_until(lambda: _answers(port), seconds=30)
            print(f"{seconds} s each, one event every half second, {_HISTORY:,} events before")
            print("statements are those of the writer too; usage questions are those that count events")
            print("clients  way     replies/s  statements  usage questions  web CPU  heard after (median, 95 %)")
            for number in clients or (1, 200, 1000):
                _run(services, port, secret, number, seconds, "stream", web.pid)
            _run(services, port, secret, 200, seconds, "polling", web.pid)
        finally:
            process.stop(web)


def _run(services: Services, port: int, secret: str, clients: int, seconds: int, way: str, pid: int) -> None:
    log = services.directory / "postgres.log"
    time.sleep(7)  # let what the run before has kept go stale
    start, cpu = log.stat().st_size, _cpu(pid)
    seen = asyncio.run(_watch(port, secret, clients, seconds, way))
    cpu = _cpu(pid) - cpu
    with log.open("rb") as file:
        file.seek(start)
        statements = _STATEMENT.split(file.read().decode(errors="replace"))[1:]
    usage = sum("FROM metering_usagebucket" in statement for statement in statements)
    delays = sorted(seen.delays) or [float("nan")]
    print(
        f"{clients:7,}  {way:7} {seen.replies / seconds:10,.0f} {len(statements):11,} {usage:16,}  {cpu / seconds:6.0%}"
        f"  {statistics.median(delays):.1f} s, {delays[int(0.95 * (len(delays) - 1))]:.1f} s"
    )


async def _watch(port: int, secret: str, clients: int, seconds: int, way: str) -> Seen:
    now = json.loads(await _get(port, secret, _PATH.format("usage"), ""))
    seen, end = Seen(sum(int(row["quantity"]) for row in now["data"])), time.monotonic() + seconds
    watchers = [_client(port, secret, seen, end, way, i / clients) for i in range(clients)]
    await asyncio.gather(_writer(port, secret, seen, end), *watchers)
    return seen


async def _client(port: int, secret: str, seen: Seen, end: float, way: str, phase: float) -> None:
    await asyncio.sleep(2 * phase)
    have, before, wait = "", None, 2.0
    path = _PATH.format("usage/stream" if way == "stream" else "usage")
    while time.monotonic() < end:
        text = await _get(port, secret, path, have)
        seen.replies += 1
        data = text
        if way == "stream":
            fields = dict(line.split(": ", 1) for line in text.splitlines() if ": " in line)
            wait, have, data = int(fields["retry"]) / 1000, fields.get("id", have), fields.get("data", "")
        if data:
            number = sum(int(row["quantity"]) for row in json.loads(data)["data"]) - seen.before
            _note(seen, before, number)
            before = number
        await asyncio.sleep(wait)


def _note(seen: Seen, before: int | None, number: int) -> None:
    """How long ago the oldest of those events was written that the client had not seen before."""
    if before is not None and 0 <= before < number <= len(seen.written):
        seen.delays.append(time.monotonic() - seen.written[before])


async def _get(port: int, secret: str, path: str, have: str) -> str:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    last = f"Last-Event-ID: {have}\r\n" if have else ""
    head = (
        f"GET {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {secret}\r\n{last}Connection: close\r\n\r\n"
    )
    writer.write(head.encode())
    answer = await reader.read(-1)
    writer.close()
    header, _, body = answer.partition(b"\r\n\r\n")
    assert b" 200 " in header.splitlines()[0], answer[:500]
    return body.decode()


async def _writer(port: int, secret: str, seen: Seen, end: float) -> None:
    run = f"{time.time()}"
    async with httpx.AsyncClient(headers={"authorization": f"Bearer {secret}"}) as client:
        while time.monotonic() < end - 3:
            event = _event(f"{run}-{len(seen.written)}", 0)
            answer = await client.post(f"http://127.0.0.1:{port}/api/v1/events", json=event)
            assert answer.json()["accepted"] == 1
            seen.written.append(time.monotonic())
            await asyncio.sleep(0.5)


def _event(event_id: str, day: int) -> dict[str, object]:
    return {
        "specversion": "1.0",
        "id": event_id,
        "source": "bench",
        "type": "agent.turn",
        "subject": "acme",
        "time": (_FIRST + timedelta(days=day)).isoformat(),
        "data": {"agent": f"agent-{day % 5}", "turn_id": event_id},
    }


def _vendor() -> str:
    """An organization with history that is projected, in a database that logs every statement; its API key."""
    from django.db import connection  # noqa: PLC0415 - Django is set up by `database`

    from accounts.facade import create_api_key, create_organization  # noqa: PLC0415
    from kernel.clock import system_clock  # noqa: PLC0415
    from metering.facade import advance_projections, create_meter, ingest  # noqa: PLC0415

    organization = create_organization(name="Vendor")
    meter = {"event_type": "agent.turn", "aggregation": "count", "dimensions": {"agent": "data.agent"}}
    if not organization.meter_set.filter(key="turns").exists():
        create_meter(organization_id=organization.pk, key="turns", name="Turns", definition=meter)
    for part in range(0, _HISTORY, 5_000):
        events = [_event(f"h-{i}", i % 30) for i in range(part, part + 5_000)]
        ingest(organization_id=organization.pk, events=events, received_at=system_clock())
    advance_projections()
    with connection.cursor() as cursor:
        cursor.execute("ALTER DATABASE taximeter SET log_statement = 'all'")
    return create_api_key(organization=organization, scopes=["admin"])[1]


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _answers(port: int) -> bool:
    try:
        return httpx.get(f"http://127.0.0.1:{port}/healthz").status_code == 200
    except httpx.HTTPError:
        return False


def _cpu(pid: int) -> float:
    """Processor seconds of the web server's processes."""
    total = 0
    for one in [pid, *process.every_pid()]:
        try:
            with open(f"/proc/{one}/stat") as file:
                values = file.read().rpartition(")")[2].split()
        except OSError:
            continue
        if one == pid or int(values[1]) == pid:
            total += int(values[11]) + int(values[12])
    return total / os.sysconf("SC_CLK_TCK")
