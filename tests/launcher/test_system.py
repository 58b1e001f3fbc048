"""The systems that other tests kill."""

from __future__ import annotations

import psycopg

from launcher import process


def test_a_system_serves_again_after_its_web_server_was_killed(system):
    system.start("web", "worker")
    first = system.pid("web")
    system.kill("web")
    system.start("web")
    assert system.pid("web") != first
    assert process.is_alive(system.pid("worker"))


def test_a_system_alone_outlives_its_postgresql(system_alone):
    system_alone.start("web")
    system_alone.kill("postgres")
    system_alone.services.start_postgres()
    system_alone.wait_until_serving()
    with psycopg.connect(system_alone.postgres_url) as connection:
        assert connection.execute("SELECT count(*) > 0 FROM django_migrations").fetchone() == (True,)
