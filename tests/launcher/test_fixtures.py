import psycopg
import pytest
import redis
from django.db import connection


@pytest.mark.django_db
def test_tests_run_on_the_embedded_postgresql():
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_setting('unix_socket_directories'), current_setting('server_version_num')::int")
        sockets, version = cursor.fetchone()
    assert sockets.strip('"') == connection.settings_dict["HOST"]
    assert version >= 180000


@pytest.mark.django_db(transaction=True)
def test_a_transactional_test_sees_its_own_commits():
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_current_xact_id()::text::bigint")
        first = cursor.fetchone()[0]
        cursor.execute("SELECT pg_current_xact_id()::text::bigint")
        assert cursor.fetchone()[0] > first


def test_both_addresses_answer(postgres_url, redis_url):
    with psycopg.connect(postgres_url) as connected:
        assert connected.execute("SELECT 1").fetchone() == (1,)
    assert redis.Redis.from_url(redis_url).ping()


def test_celery_reaches_valkey_through_its_socket(redis_url):
    from config.celery import app, broker_address

    assert broker_address("unix:///run/valkey.sock?db=2") == "redis+socket:///run/valkey.sock?virtual_host=2"
    assert broker_address("redis://valkey:6379/1") == "redis://valkey:6379/1"
    with app.connection_for_write() as broker:
        broker.ensure_connection(max_retries=1)
        assert broker.connected
