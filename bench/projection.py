"""How fast projections catch up with the log, beside the same aggregation as a bare SELECT, and how far they lag
behind steady traffic, in one run.

    python -m bench projection [EVENTS] [EVENTS_A_SECOND] [SECONDS]

The events are those of `bench usage`: 1,000 customers and 10 agents, spread evenly over a month, in the order of
time; one worker. About eight events make a task, and each has a turn of its own. Then a thread writes steadily, in
requests of 500, while projections of four meters advance once a second, as Celery's beat has them do.
"""

from __future__ import annotations

import statistics
import sys
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from bench.ingest import _body
from bench.setting import database
from bench.usage import END, START, fill

REQUEST = 500
COUNT = {"event_type": "agent.turn", "aggregation": "count"}
METERS: dict[str, dict[str, Any]] = {
    "count, by agent": COUNT | {"dimensions": {"agent": "data.agent"}},
    "sum of decimals": COUNT | {"aggregation": "sum", "value": "data.compute_seconds"},
    "unique tasks": COUNT | {"aggregation": "unique_count", "value": "data.task_id"},
    "count, by task": COUNT | {"dimensions": {"task": "data.task_id"}},
    "count, by turn": COUNT | {"dimensions": {"turn": "data.turn_id"}},
}
_LAG = """
SELECT EXTRACT(EPOCH FROM clock_timestamp() - MIN(e.received_at)) FROM metering_meterversion v
JOIN metering_usageevent e ON e.organization_id = %s AND e.xid >= v.projected_to WHERE v.id = ANY(%s)
"""


def main(events: int = 1_000_000, a_second: int = 5_000, seconds: int = 20) -> None:
    with database():
        _catch_up(events)
        _keep_up(a_second, seconds)


def _organization(name: str) -> int:
    from accounts.facade import create_organization  # noqa: PLC0415 - Django is set up only now

    return int(create_organization(name=name).pk)


def _meter(organization_id: int, name: str) -> int:
    from metering.facade import create_meter  # noqa: PLC0415

    key = name.replace(", ", "-").replace(" ", "-")
    return create_meter(organization_id=organization_id, key=key, name=name, definition=METERS[name]).pk


def _catch_up(events: int) -> None:
    from django.db import connection  # noqa: PLC0415

    from metering.facade import advance_projections  # noqa: PLC0415
    from metering.models import MeterVersion, UsageBucket  # noqa: PLC0415

    organization_id = _organization("Backlog")
    fill(organization_id, events)

    def bare() -> None:
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT subject, date_bin('1 day', time, 'epoch'), data ->> 'agent', COUNT(*) FROM metering_usageevent"
                " WHERE organization_id = %s AND type = 'agent.turn' GROUP BY 1, 2, 3",
                [organization_id],
            )

    print(f"{events:,} events")
    print(f"  {'bare SELECT, grouped':24} {events / _timed(bare):10,.0f} events/s")
    for name in METERS:
        version = _meter(organization_id, name)
        seconds = _timed(advance_projections)
        buckets = UsageBucket.objects.filter(meter_version=version).count()
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_total_relation_size('metering_usagebucket')")
            size = cursor.fetchone()[0]
            if MeterVersion.objects.get(pk=version).unbounded:
                print(f"  {name:24} given up after {buckets:,} buckets and {seconds:.1f} s")
            else:
                print(
                    f"  {name:24} {events / seconds:10,.0f} events/s into {buckets:9,} buckets,"
                    f" {size / events:4.0f} bytes an event"
                )
            cursor.execute("TRUNCATE metering_usagebucket")


def _keep_up(a_second: int, seconds: int) -> None:
    """Lag: how long ago the oldest event was received that some projection has not taken in."""
    from django.db import connection  # noqa: PLC0415

    from kernel.period import Period  # noqa: PLC0415
    from metering.facade import UsageQuestion, advance_projections, usage  # noqa: PLC0415

    organization_id = _organization("Steady")
    versions = [_meter(organization_id, name) for name in list(METERS)[:4]]
    question = UsageQuestion(organization_id=organization_id, meter="count-by-agent", period=Period(START, END))
    acknowledged, done, works = [0], threading.Event(), list[float]()

    def write() -> None:
        _write(organization_id, a_second, seconds, acknowledged)
        done.set()

    def beat() -> None:
        while not done.wait(max(0.0, 1 - works[-1]) if works else 1):
            works.append(_timed(advance_projections))

    threads = [_thread(write), _thread(beat)]
    lags, answers = [], []
    with connection.cursor() as cursor:
        while not done.wait(0.2):
            before = acknowledged[0]
            asked = time.perf_counter()
            [row] = usage(question)
            answers.append(time.perf_counter() - asked)
            assert before <= row.quantity
            cursor.execute(_LAG, [organization_id, versions])
            lags.append(float(cursor.fetchone()[0] or 0))
    for thread in threads:
        thread.join()
    assert usage(question)[0].quantity == acknowledged[0]
    print(f"{acknowledged[0] / seconds:,.0f} events/s for {seconds} s, {len(versions)} meters")
    for name, values in (("lag", lags), ("a beat's work", works), ("an exact answer meanwhile", answers)):
        print(f"  {name:26} median {statistics.median(values):6.3f} s, at most {max(values):6.3f} s")


def _write(organization_id: int, a_second: int, seconds: int, acknowledged: list[int]) -> None:
    from metering.facade import ingest_body  # noqa: PLC0415

    started = time.perf_counter()
    for number in range(a_second * seconds // REQUEST):
        body = _body(0, number * REQUEST, REQUEST)
        time.sleep(max(0.0, started + number * REQUEST / a_second - time.perf_counter()))
        ingest_body(organization_id=organization_id, body=body, received_at=datetime.now(UTC))
        acknowledged[0] += REQUEST
    time.sleep(max(0.0, started + seconds - time.perf_counter()))


def _thread(work: Callable[[], None]) -> threading.Thread:
    from django.db import connections  # noqa: PLC0415

    def run() -> None:
        try:
            work()
        finally:
            connections.close_all()

    thread = threading.Thread(target=run)
    thread.start()
    return thread


def _timed(work: Callable[[], Any]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


if __name__ == "__main__":
    main(*(int(argument) for argument in sys.argv[1:]))
