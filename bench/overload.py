"""What the events door does when far more is sent than it can take in.

    python -m bench overload [CONNECTIONS] [BATCH] [SECONDS]

First the most it takes in, with as many connections as that needs. Then CONNECTIONS that each send one request after
the other: once as `Retry-After` tells them, and once without any patience, sending again at once what was refused. In
the end the log must hold each event of an acknowledged request once, and nothing else.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from datetime import timedelta

from bench.http_ingest import resident_mib, web_server
from bench.ingest import START
from bench.load import Report, request_bytes, send_all
from bench.setting import database

_NUMBER = "request-number"


def main(connections: int = 300, batch: int = 1_000, seconds: int = 10) -> None:
    with database() as services:
        from accounts.facade import create_api_key, create_organization  # noqa: PLC0415 - Django is set up only now
        from metering.facade import UsageEvent  # noqa: PLC0415

        _, secret = create_api_key(organization=create_organization(name="Bench"), scopes=["ingest"])
        with web_server(services) as (port, web):
            sender = Sender(port, secret)
            for size, few in ((batch, 8), (1, 32)):
                print(f"  {size:,} events a request, {seconds} s each")
                peak = sender.send(size, few, patience=None, seconds=seconds)
                _show(f"{few} connections", peak, size, peak)
                for name, patience in (("patient", 1.0), ("impatient", 0.0)):
                    report = sender.send(size, connections, patience=patience, seconds=seconds)
                    _show(f"{connections} connections, {name}", report, size, peak)
            sizes = ", ".join(f"{size:.0f}" for size in resident_mib(web))
            print(f"  most memory of the web server's processes: {sizes} MiB")
        stored = UsageEvent.objects.count()
        print(f"  acknowledged {sender.acknowledged:,} events, stored {stored:,}")
        assert stored == sender.acknowledged


class Sender:
    def __init__(self, port: int, secret: str) -> None:
        self.port, self.secret = port, secret
        self.acknowledged = 0
        self._number = 0

    def send(self, size: int, connections: int, *, patience: float | None, seconds: float) -> Report:
        until = time.perf_counter() + seconds
        requests = self._requests(size, until)
        report = send_all(requests, port=self.port, connections=connections, patience=patience, until=until)
        assert set(report.statuses) <= {200, 503}, (report.statuses, report.last)
        assert report.without_retry_after == 0
        self.acknowledged += report.statuses[200] * size
        return report

    def _requests(self, size: int, until: float) -> Iterator[bytes]:
        template = _body(size)
        while time.perf_counter() < until:
            self._number += 1
            body = template.replace(_NUMBER.encode(), f"{self._number:0{len(_NUMBER)}}".encode())
            yield request_bytes("/api/v1/events", body, port=self.port, secret=self.secret)


def _body(size: int) -> bytes:
    return json.dumps(
        [
            {
                "specversion": "1.0",
                "id": f"{_NUMBER}-{i}",
                "source": f"edge/{i % 50}",
                "type": "agent.turn",
                "subject": f"customer-{i % 1000}",
                "time": (START + timedelta(seconds=i)).isoformat(),
                "data": {"agent": f"agent-{i % 10}", "model": "smollm2-135m", "input_tokens": 100 + i % 400},
            }
            for i in range(size)
        ]
    ).encode()


def _show(name: str, report: Report, size: int, peak: Report) -> None:
    taken = report.statuses[200] * size / report.seconds
    part = taken / (peak.statuses[200] * size / peak.seconds)
    print(
        f"    {name:28} {taken:9,.0f} events/s {part:5.2f} of the most, median {_percentile(report.latencies, 0.5)},"
        f" 99 % {_percentile(report.latencies, 0.99)}; refused {len(report.refusals) / report.seconds:6,.0f}/s,"
        f" 99 % within {_percentile(report.refusals, 0.99)}"
    )


def _percentile(latencies: list[float], part: float) -> str:
    return f"{sorted(latencies)[int(len(latencies) * part)] * 1000:,.0f} ms" if latencies else "-"
