"""How much memory the web server's and the worker's processes take while events come in and are projected.

    python -m bench memory [EVENTS] [BATCH]

Web server, worker and beat run as in production; a client sends EVENTS in requests of BATCH as fast as they are
taken, while the worker keeps four meters' projections up to date. Each line shows, in MiB, what the processes have in
memory at that moment; the last one the most that each ever had.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bench.http_ingest import answers
from bench.ingest import _body
from bench.load import request_bytes, send_all
from bench.projection import METERS
from bench.setting import database
from launcher import process, programs
from launcher.paths import ROOT
from launcher.services import Services
from tests.system import free_port

LINES = 10
_CONNECTIONS = 8
_PROGRAMS = ("web", "worker", "beat")


def main(events: int = 1_000_000, batch: int = 5_000) -> None:
    with database() as services:
        from accounts.facade import create_api_key, create_organization  # noqa: PLC0415 - Django is set up only now
        from metering.facade import create_meter  # noqa: PLC0415

        organization = create_organization(name="Bench")
        _, secret = create_api_key(organization=organization, scopes=["ingest"])
        for name in list(METERS)[:4]:
            key = name.replace(", ", "-").replace(" ", "-")
            create_meter(organization_id=organization.pk, key=key, name=name, definition=METERS[name])
        with _running(services) as (port, pids):
            print(f"{events:,} events, {batch:,} a request; memory of each process in MiB")
            print("  sent          events/s  " + "  ".join(f"{name:24}" for name in _PROGRAMS))
            _print_line("0", 0, pids, "VmRSS")
            for line in range(LINES):
                first, last = events * line // LINES, events * (line + 1) // LINES
                requests = (
                    request_bytes("/api/v1/events", _body(0, start, batch), port=port, secret=secret)
                    for start in range(first, last, batch)
                )
                report = send_all(requests, port=port, connections=_CONNECTIONS)
                assert set(report.statuses) == {200}, (report.statuses, report.last)
                _print_line(f"{last:,}", (last - first) / report.seconds, pids, "VmRSS")
            waited = _wait_for_projections(organization.pk)
            _print_line(f"projected {waited:.0f} s later", 0, pids, "VmRSS")
            _print_line("the most", 0, pids, "VmHWM")


@contextmanager
def _running(services: Services) -> Iterator[tuple[int, dict[str, int]]]:
    """The port and, by program, the process ids."""
    port = free_port()
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "sdk" / "src")])}
    started = {
        program.name: process.start(
            program.command, log=services.directory / f"{program.name}.log", environment=environment, cwd=ROOT
        )
        for program in programs.application_programs(host="127.0.0.1", port=port)
        if program.name in _PROGRAMS
    }
    try:
        log = services.directory / "web.log"
        assert process.wait_until(lambda: answers(port), seconds=30, interval=0.1), process.tail(log)
        time.sleep(5)  # for the worker
        yield port, {name: running.pid for name, running in started.items()}
    finally:
        for running in started.values():
            process.stop(running)


def _wait_for_projections(organization_id: int) -> float:
    from django.db import connection  # noqa: PLC0415

    started = time.monotonic()
    behind = (
        "SELECT 1 FROM metering_meterversion v JOIN metering_usageevent e ON e.organization_id = %s"
        " AND e.xid >= v.projected_to LIMIT 1"
    )
    while time.monotonic() - started < 600:
        with connection.cursor() as cursor:
            cursor.execute(behind, [organization_id])
            if cursor.fetchone() is None:
                break
        time.sleep(0.5)
    return time.monotonic() - started


def _print_line(sent: str, speed: float, pids: dict[str, int], field: str) -> None:
    sizes = "  ".join(f"{' '.join(f'{size:.0f}' for size in _sizes(pids[name], field)):24}" for name in _PROGRAMS)
    print(f"  {sent:22} {f'{speed:,.0f}' if speed else '':>9}  {sizes}", flush=True)


def _sizes(master: int, field: str) -> list[float]:
    """Of the process and of its children, in MiB."""
    sizes = []
    for pid in sorted({master, *process.every_pid()}):
        try:
            status = Path(f"/proc/{pid}/status").read_text()
        except OSError:
            continue
        fields = dict(line.split(":", 1) for line in status.splitlines() if ":" in line)
        if pid == master or int(fields["PPid"]) == master:
            sizes.append(int(fields.get(field, "0 kB").split()[0]) / 1024)
    return sizes
