"""How long a month takes to leave the log for a file and to come back, and what questions take meanwhile.

    python -m bench retention [EVENTS]

The events are those of `bench usage`, in one month. Answers with the month out of the log are compared with those
from before. The reading process checks the file's checksum once; that is part of the first question, shown apart.
"""

from __future__ import annotations

import resource
import statistics
import sys
import tempfile
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from bench.setting import database
from bench.usage import END, START, _organization, _timed, settle

ROUNDS = 3


def main(events: int = 1_000_000) -> None:
    with database(), tempfile.TemporaryDirectory() as directory:
        from django.conf import settings  # noqa: PLC0415 - Django is set up only now

        from kernel.period import Month  # noqa: PLC0415
        from metering.facade import attach_month, create_meter, detach_month  # noqa: PLC0415

        settings.ARCHIVE_DIR = directory
        organization_id = _organization(events)
        largest = {"event_type": "agent.turn", "aggregation": "max", "value": "data.input_tokens"}
        create_meter(organization_id=organization_id, key="largest", name="largest", definition=largest)
        questions = _questions(organization_id)
        before = {name: _ask(question) for name, question in questions.items()}
        memory = _memory()
        month = Month(START.year, START.month)
        archive: list[Any] = []
        seconds = _timed(lambda: archive.append(detach_month(month=month, now=datetime.now(UTC))))
        print(f"out of the log {events / seconds:10,.0f} events/s, {archive[0].size / events:.0f} bytes an event")
        print(f"  its process grew by {_memory() - memory:,.0f} MiB to {_memory():,.0f}")
        settle("metering_usageevent")
        first = _timed(questions["one customer's hour by minute"])
        print(f"  the first question, with the file's checksum: {1000 * first:,.0f} ms")
        print(f"{'milliseconds':40} {'in the log':>12} {'out of it':>12}")
        for name, question in questions.items():
            answer, median = before[name]
            now, later = _ask(question)
            assert answer == now, name
            print(f"{name:40} {1000 * median:12,.0f} {1000 * later:12,.0f}", flush=True)
        seconds = _timed(lambda: attach_month(month=month))
        print(f"back in the log {events / seconds:10,.0f} events/s")
        assert all(_ask(question)[0] == before[name][0] for name, question in questions.items())


def _questions(organization_id: int) -> dict[str, Callable[[], Any]]:
    from kernel.period import Period  # noqa: PLC0415
    from metering.facade import EventQuestion, UsageQuestion, list_events, usage  # noqa: PLC0415

    all_of_it = UsageQuestion(
        organization_id=organization_id, meter="turns", period=Period(START, END), window="day", timezone="UTC"
    )
    one = replace(all_of_it, customers=("customer-7",), by_customer=True)
    hour = Period(START + timedelta(days=9), START + timedelta(days=9, hours=1))
    asked = {
        "all by day and agent": replace(all_of_it, group_by=("agent",)),
        "one customer by day": one,
        "one customer by day, Asia/Kolkata": replace(one, timezone="Asia/Kolkata"),
        "one customer's hour by minute": replace(one, period=hour, window="minute"),
        "one customer's largest by day": replace(one, meter="largest"),
        "the organization's largest": replace(all_of_it, meter="largest", window="total"),
    }
    found: dict[str, Callable[[], Any]] = {
        name: lambda question=question: usage(question) for name, question in asked.items()
    }
    found["the newest 100 events"] = lambda: list_events(EventQuestion(organization_id), limit=100)
    found["a customer's newest 100 events"] = lambda: list_events(
        EventQuestion(organization_id, customer="customer-7"), limit=100
    )
    return found


def _ask(question: Callable[[], Any]) -> tuple[Any, float]:
    answers: list[Any] = []
    times = [_timed(lambda: answers.append(question())) for _ in range(ROUNDS)]
    return answers[0], statistics.median(times)


def _memory() -> float:
    """The most memory this process has had, in MiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


if __name__ == "__main__":
    main(*(int(argument) for argument in sys.argv[1:]))
