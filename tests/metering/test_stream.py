from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import httpx
import psycopg
import pytest
import redis
from django.conf import settings
from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts.facade import ApiKey, revoke_api_key
from launcher import process
from metering.facade import ingest, void_event
from metering.notifications import CHANNEL
from metering.stream import answers, changes
from metering.stream.events import LATEST, MOST_REPLIES, SOONEST, Pace
from tests.api import Api, make_api
from tests.system import System

NOW = datetime(2026, 10, 20, tzinfo=UTC)
OCTOBER = {"from": "2026-10-01T00:00:00Z", "to": "2026-11-01T00:00:00Z"}
Build = Callable[..., dict[str, Any]]


@pytest.fixture
def committing_api(transactional_db: None, redis_url: str) -> Api:
    made = make_api("Vendor")
    made.meter("turns", event_type="agent.turn", aggregation="count")
    return made


def stream(api: Api, have: str = "", **parameters: str) -> tuple[str, str, str]:
    """(retry, id, data) of one reply; id and data are empty where there is nothing new."""
    headers = {"last-event-id": have} if have else {}
    answer = api.client.get("/api/v1/meters/turns/usage/stream", OCTOBER | parameters, headers=headers)
    assert (answer.status_code, answer["content-type"]) == (200, "text/event-stream"), answer.content
    fields = dict(line.split(": ", 1) for line in answer.content.decode().splitlines() if ": " in line)
    return fields["retry"], fields.get("id", ""), fields.get("data", "")


def next_event(api: Api, have: str, within: float = 10) -> tuple[str, str]:
    found: list[tuple[str, str]] = []

    def look() -> bool:
        _, tag, data = stream(api, have)
        found.append((tag, data))
        return bool(tag)

    assert process.wait_until(look, seconds=within)
    return found[-1]


def test_the_stream_says_what_usage_says_and_then_only_what_is_new(committing_api: Api, event: Build) -> None:
    api = committing_api
    _, tag, data = stream(api, group_by="customer", window="day")
    asked = api.get("meters/turns/usage", **OCTOBER, group_by="customer", window="day")
    assert data == asked.content.decode()
    assert stream(api, tag, group_by="customer", window="day")[1:] == ("", "")


def test_an_event_and_its_being_taken_back_are_told_of(committing_api: Api, event: Build) -> None:
    api = committing_api
    _, nothing, data = stream(api)
    assert '"quantity":"0"' in data
    api.post("events", event("a"))
    one, data = next_event(api, nothing)
    assert '"quantity":"1"' in data
    void_event(organization_id=api.organization.pk, source="edge/berlin-7", event_id="a", reason="test", at=NOW)
    assert next_event(api, one) == (nothing, stream(api)[2])


def test_a_hundred_replies_without_news_ask_the_database_for_their_keys_alone(committing_api: Api) -> None:
    _, tag, _ = stream(committing_api)
    stream(committing_api, tag)
    with CaptureQueriesContext(connection) as queries:
        for _ in range(100):
            assert stream(committing_api, tag)[1] == ""
    others = [one for one in queries if "accounts_apikey" not in one["sql"]]
    # Looking at the log again, should the hundred take more than `RECHECK` seconds.
    assert len(others) <= 1
    assert len(queries) - len(others) <= 100


def test_a_missed_announcement_only_delays(committing_api: Api, event: Build, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(changes, "RECHECK", 1.0)
    _, nothing, _ = stream(committing_api)
    silently = ingest.__wrapped__
    silently(organization_id=committing_api.organization.pk, events=[event()], received_at=NOW)
    assert '"quantity":"1"' in next_event(committing_api, nothing)[1]


def test_a_transaction_older_than_the_last_one_is_not_overlooked(committing_api: Api, event: Build) -> None:
    organization_id = committing_api.organization.pk
    with psycopg.connect(**connection.get_connection_params() | {"cursor_factory": psycopg.Cursor}) as slow:
        slow.execute("SELECT pg_current_xact_id()")
        ingest(organization_id=organization_id, events=[event("fast")], received_at=NOW)
        before = changes.read_position(organization_id)
    assert changes.read_position(organization_id) != before
    assert changes.read_position(organization_id) == changes.read_position(organization_id)


def test_a_changed_meter_is_told_of(committing_api: Api, event: Build, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(changes, "RECHECK", 1.0)
    api = committing_api
    api.post("events", event())
    one, _ = next_event(api, stream(api)[1] if '"quantity":"0"' in stream(api)[2] else "")
    body = {
        "event_type": "agent.turn",
        "aggregation": "count",
        "filters": [{"path": "data.agent", "op": "eq", "value": "x"}],
    }
    assert api.post("meters/turns/versions", body).status_code == 201
    assert '"quantity":"0"' in next_event(api, one)[1]


def test_a_stream_needs_a_key_with_the_scope_and_a_question_that_makes_sense(committing_api: Api) -> None:
    path = "/api/v1/meters/turns/usage/stream"
    client = committing_api.client
    assert client.get(path, OCTOBER, headers={"authorization": "Bearer wrong"}).status_code == 401
    assert make_api("Only ingest", "ingest").client.get(path, OCTOBER).status_code == 403
    assert make_api("Other").client.get(path, OCTOBER).status_code == 404
    refused = client.get(path, OCTOBER | {"windw": "day"}, headers={"accept": "text/event-stream"})
    assert (refused.status_code, refused.json()["code"]) == (422, "parameter_unknown")
    assert client.get(path, OCTOBER | {"timezone": "Mars"}).json()["code"] == "timezone_invalid"


def test_the_question_of_another_organization_is_another_question(committing_api: Api, event: Build) -> None:
    other = make_api("Other")
    other.meter("turns", event_type="agent.turn", aggregation="count")
    _, nothing, _ = stream(committing_api)
    committing_api.post("events", event())
    next_event(committing_api, nothing)
    assert '"quantity":"0"' in stream(other)[2]


def test_a_revoked_key_sees_nothing_new(committing_api: Api) -> None:
    stream(committing_api)
    revoke_api_key(key=ApiKey.objects.get(organization=committing_api.organization), at=NOW)
    assert committing_api.client.get("/api/v1/meters/turns/usage/stream", OCTOBER).status_code == 401


def test_many_threads_asking_at_once_ask_the_database_once(committing_api: Api) -> None:
    organization_id, found = committing_api.organization.pk, []
    kept = answers.Answers()
    ready = threading.Barrier(20)

    def find() -> bytes:
        found.append(1)
        time.sleep(0.2)
        return b"x"

    def ask() -> None:
        ready.wait()
        try:
            assert kept.get(organization_id, "question", find).body == b"x"
        finally:
            connection.close()

    threads = [threading.Thread(target=ask) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 1


def test_what_is_kept_is_bounded(committing_api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(answers, "MOST_BYTES", 1000)
    monkeypatch.setattr(answers, "PAUSE", 0.01)
    kept, found = answers.Answers(), []
    for question in (1, 2, 3, 3, 1):
        kept.get(committing_api.organization.pk, question, lambda n=question: found.append(n) or b"x" * 400)
        time.sleep(0.2)  # until other processes may not take it for new any more
    assert found == [1, 2, 3, 1]


def test_processes_share_what_one_of_them_found(committing_api: Api) -> None:
    found: list[int] = []
    for _ in range(3):
        answers.Answers().get(committing_api.organization.pk, "q", lambda: found.append(1) or b"x")
    assert found == [1]


def test_replies_are_spread_over_time_as_clients_become_many() -> None:
    pace, now, wait = Pace(), 0.0, SOONEST
    for clients in (10, 600, 100_000, 10):
        for _ in range(20):  # each client comes once in `wait`
            for _ in range(clients):
                now += wait / clients
                wait = pace.next_wait(now + 1e6)
        expected = min(LATEST, max(SOONEST, clients / MOST_REPLIES))
        assert wait == pytest.approx(expected, rel=0.3)


@pytest.fixture
def heard(redis_url: str) -> Iterator[Any]:
    with redis.Redis.from_url(settings.REDIS_URL).pubsub(ignore_subscribe_messages=True) as channel:
        channel.subscribe(CHANNEL)
        channel.get_message(timeout=1)
        yield channel


def test_announcements_of_a_process_are_few_however_many_writes_there_are(
    committing_api: Api, heard: Any, event: Build
) -> None:
    started = time.monotonic()
    for i in range(60):
        ingest(organization_id=committing_api.organization.pk, events=[event(f"e{i}")], received_at=NOW)
    took = time.monotonic() - started
    messages = []
    while message := heard.get_message(timeout=0.5):
        messages.append(int(message["data"]))
    assert set(messages) == {committing_api.organization.pk}
    assert 1 <= len(messages) <= took / 0.2 + 2


def test_what_is_rolled_back_is_not_announced(committing_api: Api, heard: Any, event: Build) -> None:
    bad = committing_api.post("events", [event("a"), {"no": "event"}], prefer="handling=strict")
    assert bad.status_code == 422
    assert heard.get_message(timeout=0.5) is None


def test_events_are_taken_as_before_while_valkey_is_away(system_alone: System, event: Build) -> None:
    system = system_alone
    system.start("web")
    system.manage("create_organization", "Vendor")
    key = system.manage("create_api_key", "--organization", "vendor", "--scope", "admin").stdout.strip()
    with httpx.Client(base_url=f"{system.address}/api/v1/", headers={"authorization": f"Bearer {key}"}) as client:
        meter = {"key": "mine", "event_type": "agent.turn", "aggregation": "count"}
        assert client.post("meters", json=meter).status_code == 201
        system.kill("valkey")
        started = time.monotonic()
        for i in range(20):
            assert client.post("events", json=event(f"e{i}")).json()["accepted"] == 1
        assert time.monotonic() - started < 20

        def shows(number: int) -> bool:
            return f'"quantity":"{number}"' in client.get("meters/mine/usage/stream", params=OCTOBER).text

        assert process.wait_until(lambda: shows(20), seconds=60)
        system.services.start_valkey()
        time.sleep(2)
        assert client.post("events", json=event("last")).json()["accepted"] == 1
        assert process.wait_until(lambda: shows(21), seconds=60)
