"""How fast a projection catches up with the log, beside the same aggregation as a bare SELECT, in one run.

    python -m bench projection [EVENTS]

One meter, with one dimension, over events of 1,000 customers in a month; one worker.
"""

from __future__ import annotations

import sys
import time

from bench.ingest import START, _body
from bench.setting import database


def main(events: int = 500_000) -> None:
    with database():
        from django.db import connection  # noqa: PLC0415 - Django is set up only now

        from accounts.facade import create_organization  # noqa: PLC0415
        from metering.facade import advance_projections, create_meter, ingest_body  # noqa: PLC0415
        from metering.models import UsageBucket  # noqa: PLC0415

        organization_id = create_organization(name="Bench").pk
        definitions = {
            "turns": {"event_type": "agent.turn", "aggregation": "count", "dimensions": {"agent": "data.agent"}},
            "seconds": {"event_type": "agent.turn", "aggregation": "sum", "value": "data.compute_seconds"},
        }
        for start in range(0, events, 5_000):
            ingest_body(organization_id=organization_id, body=_body(0, start, 5_000), received_at=START)
        with connection.cursor() as cursor:
            cursor.execute("VACUUM ANALYZE metering_usageevent")
            started = time.perf_counter()
            cursor.execute(
                "SELECT subject, date_trunc('hour', time, 'UTC'), data ->> 'agent', COUNT(*) FROM metering_usageevent"
                " WHERE organization_id = %s AND type = 'agent.turn' GROUP BY 1, 2, 3",
                [organization_id],
            )
            bare = time.perf_counter() - started
        print(f"{events:,} events")
        print(f"  {'bare SELECT, grouped':28} {events / bare:10,.0f} events/s")
        for key, definition in definitions.items():
            create_meter(organization_id=organization_id, key=key, name=key, definition=definition)
            before = UsageBucket.objects.count()
            started = time.perf_counter()
            advance_projections()
            seconds = time.perf_counter() - started
            buckets = UsageBucket.objects.count() - before
            print(f"  {f'projection of {key}':28} {events / seconds:10,.0f} events/s into {buckets:,} buckets")


if __name__ == "__main__":
    main(*(int(argument) for argument in sys.argv[1:]))
