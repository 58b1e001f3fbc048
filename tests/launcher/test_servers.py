"""PostgreSQL and Valkey under the launcher's care."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
import redis

from launcher import process
from launcher.errors import LauncherError
from launcher.paths import Layout
from launcher.services import Services


@pytest.fixture(scope="module")
def own() -> Iterator[Services]:
    with Services.temporary(durable=True) as running:
        yield running


def test_postgresql_is_reached_by_its_socket_only_and_stores_utf8(own):
    with psycopg.connect(own.postgres_url) as connection:
        settings = "current_setting('listen_addresses'), current_setting('server_encoding'), current_setting('fsync')"
        assert connection.execute(f"SELECT {settings}").fetchone() == ("", "UTF8", "on")
    sockets = own.cluster.sockets
    assert sockets.stat().st_mode & 0o077 == 0
    assert (sockets / ".s.PGSQL.5432").stat().st_mode & 0o077 == 0


def test_a_killed_postgresql_comes_back_with_what_was_committed(own):
    with psycopg.connect(own.postgres_url) as connection:
        connection.execute("CREATE TABLE kept (n int)")
        connection.execute("INSERT INTO kept VALUES (1229)")
    own.postgres.send_signal(signal.SIGKILL)
    own.start_postgres()
    with psycopg.connect(own.postgres_url) as connection:
        assert connection.execute("SELECT n FROM kept").fetchone() == (1229,)


def test_a_pid_file_that_names_a_stranger_does_not_stop_postgresql(own):
    own.postgres.send_signal(signal.SIGKILL)
    own.postgres.wait(10)
    lock = own.cluster.data / "postmaster.pid"
    lines = lock.read_text().splitlines()
    lock.write_text("\n".join([str(os.getpid()), *lines[1:]]) + "\n")  # this very process got the dead one's number
    own.start_postgres()
    assert own.cluster.is_ready()


def test_an_initdb_that_was_killed_is_done_again(tmp_path):
    half = Services(tmp_path)
    (tmp_path / "postgres.unfinished").mkdir()
    (tmp_path / "postgres.unfinished" / "PG_VERSION").write_text("18\n")
    half.cluster.prepare()
    assert (half.cluster.data / "PG_VERSION").read_text() == "18\n"
    assert not (tmp_path / "postgres.unfinished").exists()


def test_a_cluster_of_another_version_is_left_alone(tmp_path):
    old = Services(tmp_path)
    old.cluster.data.mkdir()
    (old.cluster.data / "PG_VERSION").write_text("12\n")
    with pytest.raises(LauncherError, match="written by PostgreSQL 12"):
        old.cluster.prepare()


def test_a_killed_valkey_comes_back_with_what_was_queued(own):
    with redis.Redis.from_url(own.redis_url) as queue:
        queue.rpush("celery", "a task")
    own.valkey.send_signal(signal.SIGKILL)
    own.start_valkey()
    with redis.Redis.from_url(own.redis_url) as queue:
        assert queue.lrange("celery", 0, -1) == [b"a task"]


def test_stopping_leaves_neither_process_nor_data():
    with Services.temporary() as brief:
        pids = [brief.postgres.pid, brief.valkey.pid]
    assert not any(map(process.is_alive, pids))
    assert not brief.directory.exists()


def test_sockets_of_a_deep_directory_are_short_enough_for_the_kernel(tmp_path):
    deep = Layout(tmp_path / ("d" * 100) / "var")
    deep.create()
    assert len(str(deep.sockets / "pg" / ".s.PGSQL.5432.lock")) < 103
    assert deep.sockets == Layout(deep.var).sockets
    assert deep.sockets != Layout(tmp_path / "other" / ("d" * 100)).sockets
    Path(deep.sockets).rmdir()


def test_a_socket_directory_that_others_may_write_to_is_refused(tmp_path):
    deep = Layout(tmp_path / ("d" * 100) / "var")
    deep.sockets.mkdir(mode=0o777)
    deep.sockets.chmod(0o777)
    with pytest.raises(LauncherError, match="open to others"):
        deep.create()
    deep.sockets.rmdir()
