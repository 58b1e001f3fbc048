"""How fast events come in over HTTP, beside a bare binary COPY of the same rows into a table with the same indexes.

    python -m bench http_ingest [EVENTS] [PRELOAD]

The web server is started as in production, on a PostgreSQL with synchronous_commit=on; server, database
and client share this machine. The rounds alternate between HTTP and COPY, so that a noisy machine
disturbs both; medians are shown. PRELOAD rows are in both tables before. At last one event a request,
beside a view in the same server that does one single-row INSERT and nothing else.
"""

from __future__ import annotations

import os
import statistics
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bench.ingest import START, _body, _copy, _copy_table, _rows, _seconds
from bench.load import Report, request_bytes, send_all
from bench.setting import database
from launcher import process, programs
from launcher.paths import ROOT
from launcher.services import Services
from tests.system import free_port

ROUNDS = 5
BATCH_CONNECTIONS = 8
SINGLE_CONNECTIONS = 32
SINGLES = 4_000


def main(events: int = 100_000, preload: int = 0) -> None:
    with database() as services:
        from accounts.facade import create_api_key, create_organization  # noqa: PLC0415 - Django is set up only now
        from metering.facade import create_meter  # noqa: PLC0415

        organization = create_organization(name="Bench")
        _, secret = create_api_key(organization=organization, scopes=["ingest"])
        definition = {"event_type": "agent.turn", "aggregation": "sum", "value": "data.compute_seconds"}
        create_meter(organization_id=organization.pk, key="compute", name="compute", definition=definition)
        _copy_table()
        make_rows(organization.pk, preload)
        with web_server(services) as (port, web):
            door = Door(organization.pk, port, secret)
            print(f"{events:,} events a round, {ROUNDS} rounds, medians; {preload:,} rows in the tables before")
            for batch in (5_000, 500):
                _batches(door, events, batch)
            _singles(door)
            sizes = ", ".join(f"{size:.0f}" for size in resident_mib(web))
            print(f"  most memory of the web server's processes: {sizes} MiB")


class Door:
    """The events door of one organization."""

    def __init__(self, organization_id: int, port: int, secret: str) -> None:
        self.organization_id, self.port, self.secret = organization_id, port, secret

    def send(self, bodies: list[bytes], *, connections: int, path: str = "/api/v1/events") -> Report:
        requests = [request_bytes(path, body, port=self.port, secret=self.secret) for body in bodies]
        report = send_all(requests, port=self.port, connections=connections)
        assert set(report.statuses) == {200}, (report.statuses, report.last)
        return report


def _batches(door: Door, events: int, batch: int) -> None:
    speeds: dict[str, list[float]] = {"binary COPY": [], "new events": [], "half duplicates": [], "duplicates": []}
    for number in range(ROUNDS):
        name = batch * 1000 + number * 10
        bodies = [_body(name, start, batch) for start in range(0, events, batch)]
        half = batch // 2
        halves = [
            _body(name, start, half)[:-1] + b", " + _body(name + 1, start, half)[1:]
            for start in range(0, events, batch)
        ]
        rows = [_rows(door.organization_id, body) for body in bodies]
        speeds["binary COPY"].append(events / _seconds(lambda rows=rows: [_copy(part) for part in rows]))
        for kind, sent in (("new events", bodies), ("duplicates", bodies), ("half duplicates", halves)):
            speeds[kind].append(events / door.send(sent, connections=BATCH_CONNECTIONS).seconds)
    base = statistics.median(speeds["binary COPY"])
    print(f"  {batch:,} events a request, {BATCH_CONNECTIONS} connections")
    for kind, measured in speeds.items():
        median = statistics.median(measured)
        print(f"    {kind:16} {median:10,.0f} events/s   {median / base:5.2f} of the COPY")


def _singles(door: Door) -> None:
    speeds: dict[str, list[float]] = {"one INSERT": [], "one event": []}
    slowest: dict[str, list[float]] = {kind: [] for kind in speeds}
    for number in range(ROUNDS):
        bodies = [_body(number, start, 1)[1:-1] for start in range(SINGLES)]
        for kind, path in (("one INSERT", "/bench/insert"), ("one event", "/api/v1/events")):
            report = door.send(bodies, connections=SINGLE_CONNECTIONS, path=path)
            speeds[kind].append(SINGLES / report.seconds)
            slowest[kind].append(sorted(report.latencies)[int(SINGLES * 0.99)])
    base = statistics.median(speeds["one INSERT"])
    print(f"  one event a request, {SINGLE_CONNECTIONS} connections")
    for kind, measured in speeds.items():
        median = statistics.median(measured)
        latency = statistics.median(slowest[kind]) * 1000
        print(
            f"    {kind:16} {median:10,.0f} requests/s {median / base:5.2f} of the INSERT, 99 % within {latency:.0f} ms"
        )


@contextmanager
def web_server(services: Services) -> Iterator[tuple[int, int]]:
    """Production's web server, with the view of `bench.served_urls`; its port and process id."""
    port = free_port()
    [web] = [program for program in programs.application_programs(host="127.0.0.1", port=port) if program.name == "web"]
    environment = os.environ | {
        "DJANGO_SETTINGS_MODULE": "bench.served_settings",
        "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "sdk" / "src")]),
    }
    log = services.directory / "web.log"
    running = process.start(web.command, log=log, environment=environment, cwd=ROOT)
    try:
        process.wait_until(lambda: running.poll() is not None or answers(port), seconds=600, interval=0.1)
        assert running.poll() is None, process.tail(log)
        yield port, running.pid
    finally:
        process.stop(running)


def answers(port: int) -> bool:
    try:
        return bool(send_all([b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"], port=port, connections=1).statuses)
    except OSError:
        return False


def resident_mib(master: int) -> list[float]:
    """The most memory each of the server's processes has had."""
    sizes = []
    for pid in process.every_pid():
        try:
            status = Path(f"/proc/{pid}/status").read_text()
        except OSError:
            continue
        fields = dict(line.split(":", 1) for line in status.splitlines() if ":" in line)
        if pid == master or int(fields["PPid"]) == master:
            sizes.append(int(fields.get("VmHWM", "0 kB").split()[0]) / 1024)
    return sizes


_PAST = """
INSERT INTO metering_usageevent
  (identity, organization_id, source, event_id, type, subject, time, received_at, data)
SELECT gen_random_uuid(), %(organization)s, 'past/' || i %% 50, 'past-' || i, 'agent.turn', 'customer-' || i %% 1000,
       %(start)s::timestamptz + i %% 2600000 * interval '1 second', %(start)s,
       jsonb_build_object('agent', 'agent-' || i %% 10, 'task_id', 'task-' || i / 8, 'turn_id', 'turn-' || i,
           'model', 'smollm2-135m', 'input_tokens', 100 + i %% 400, 'output_tokens', i %% 60,
           'compute_seconds', '0.' || i %% 1000)
FROM generate_series(%(first)s, %(last)s) AS i
"""
_PIECE = 500_000


def make_rows(organization_id: int, number: int) -> None:
    """Past rows like those that are to come, in the log and in the COPY's tables, and projected as in life."""
    from django.db import connection  # noqa: PLC0415

    from metering.facade import advance_projections  # noqa: PLC0415

    with connection.cursor() as cursor:
        cursor.execute("SELECT metering_make_partition(%s)", [START.date()])
        for first in range(1, number + 1, _PIECE):
            last = min(first + _PIECE - 1, number)
            cursor.execute(_PAST, {"organization": organization_id, "start": START, "first": first, "last": last})
        cursor.execute("INSERT INTO bench_copy SELECT * FROM metering_usageevent")
        for table in ("metering_eventidentity", "bench_identity"):
            cursor.execute(
                f"INSERT INTO {table} (identity, content_hash, time)"
                " SELECT identity, gen_random_uuid(), time FROM metering_usageevent"
            )
        cursor.execute("VACUUM ANALYZE metering_usageevent, metering_eventidentity, bench_copy, bench_identity")
    while advance_projections():
        pass
    with connection.cursor() as cursor:
        cursor.execute("CHECKPOINT")


if __name__ == "__main__":
    main(*(int(argument) for argument in sys.argv[1:]))
