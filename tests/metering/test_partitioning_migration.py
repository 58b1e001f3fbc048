"""A log from before it was partitioned is carried over whole."""

from __future__ import annotations

import psycopg

from launcher.services import Services
from tests.system import System

#: Step by step: a migration that gives an empty database all at once has replaced the steps.
MIGRATE = """
from django.db import connection
from django.db.migrations.executor import MigrationExecutor
executor = MigrationExecutor(connection)
executor.loader.replace_migrations = False
executor.loader.build_graph()
executor.migrate([("metering", "0004_daily_buckets")])
"""
BEFORE = """
INSERT INTO accounts_organization (id, public_id, key, name, created_at) VALUES (1, 'org_1', 'v', 'V', now());
INSERT INTO metering_usageevent
    (identity, organization_id, source, event_id, type, subject, time, received_at, data, content_hash)
SELECT gen_random_uuid(), 1, 's', 'e' || n, 't', 'acme', time::timestamptz, now(), '{"n": 1.2500}', gen_random_uuid()
FROM unnest(ARRAY['2026-10-05Z', '1980-01-01Z', '2999-01-01Z']) WITH ORDINALITY AS sent (time, n);
INSERT INTO metering_eventcorrection (id, organization_id, event_id, reason, created_at)
SELECT 'cor_1', 1, identity, 'r', now() FROM metering_usageevent WHERE event_id = 'e1';
"""
EVENTS = (
    "SELECT identity, event_id, {0}time, xid::text, data::text, content_hash FROM metering_usageevent {1} ORDER BY 2"
)


def test_events_identities_and_corrections_are_carried_over(services: Services) -> None:
    services.cluster.create_database("before_partitions")
    own = Services.temporary()
    system = System(own, services.cluster.url("before_partitions"))
    try:
        own.start_valkey()
        system.manage("shell", "--command", MIGRATE)
        with psycopg.connect(system.postgres_url) as database:
            database.execute(BEFORE)
            events = database.execute(EVENTS.format("", "")).fetchall()  # type: ignore[call-overload]
        system.manage("migrate", "--verbosity", "0")
        with psycopg.connect(system.postgres_url) as database:
            joined = EVENTS.format("i.", "e JOIN metering_eventidentity i USING (identity)")
            assert database.execute(joined).fetchall() == events  # type: ignore[call-overload]
            copy = "SELECT sent_id, source, type, subject, data::text FROM metering_eventcorrection"
            assert database.execute(copy).fetchall() == [("e1", "s", "t", "acme", '{"n": 1.2500}')]
    finally:
        system.stop()
        services.cluster.drop_database("before_partitions")
