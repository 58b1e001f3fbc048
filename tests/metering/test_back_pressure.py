"""The events door before a database that cannot keep up: it says so, soon, and nothing is lost or kept by halves."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import httpx
import psycopg
import pytest
from google.rpc import status_pb2
from pytest_django import DjangoDbBlocker

from accounts.facade import create_api_key, create_organization
from bench.overload import Sender
from launcher.services import Services
from tests.metering.otlp import CHAT, request, span, to_protobuf
from tests.system import System, system_on

Build = Callable[..., dict[str, Any]]
Post = Callable[[Any], httpx.Response]


@dataclass
class Vendor:
    """An organization and the secret of its key."""

    organization_id: int
    secret: str


@pytest.fixture(scope="module")
def system(services: Services, _system_template: None) -> Iterator[System]:
    """One web server for all of these tests: each leaves it serving, and has an organization of its own."""
    with system_on(services) as running:
        running.start("web")
        yield running


@pytest.fixture
def vendor(system: System, django_db_blocker: DjangoDbBlocker) -> Vendor:
    with django_db_blocker.unblock(), system.database():
        organization = create_organization(name=f"Vendor {uuid4()}")
        _, secret = create_api_key(organization=organization, scopes=["ingest"])
    return Vendor(organization.pk, secret)


@pytest.fixture
def post(system: System, vendor: Vendor) -> Iterator[Post]:
    """Sends events to the web server of `system`, of an organization with a key."""
    with httpx.Client(
        base_url=system.address, headers={"Authorization": f"Bearer {vendor.secret}"}, timeout=60, trust_env=False
    ) as client:
        yield lambda events: client.post("/api/v1/events", json=events)


def test_behind_a_lock_the_door_answers_busy_soon_and_takes_the_same_later(
    system: System, post: Post, event: Build
) -> None:
    batches = [[event(f"{number}-{i}") for i in range(3)] for number in range(12)]
    assert post(event("first")).json()["accepted"] == 1
    with psycopg.connect(system.postgres_url) as other, ThreadPoolExecutor(12) as senders:
        other.execute("LOCK TABLE metering_usageevent")
        started = time.monotonic()
        answers = list(senders.map(post, batches))
        waited = time.monotonic() - started
        assert {a.status_code for a in answers} == {503}
        assert {a.json()["code"] for a in answers} <= {"busy", "overloaded"}
        assert all(1 <= int(a.headers["retry-after"]) <= 5 for a in answers)
        # Three places would have had four turns of three seconds each; those in line were sent away meanwhile.
        assert waited < 10
    time.sleep(1.1)
    assert [post(batch).json()["accepted"] for batch in batches] == [3] * 12


def test_without_a_free_connection_the_door_answers_busy(system: System, post: Post, event: Build) -> None:
    system.kill("web")  # and with it the connections that it keeps
    system.start("web")
    with ExitStack() as taken:
        with suppress(psycopg.OperationalError):
            for _ in range(1000):
                taken.enter_context(psycopg.connect(system.postgres_url))
        refused = post(event())
    assert (refused.status_code, refused.json()["code"], refused.headers["retry-after"]) == (503, "busy", "1")
    time.sleep(1.1)
    assert post(event()).json()["accepted"] == 1


@pytest.mark.parametrize("state", ["53100", "57014"], ids=["disk full", "statement timeout"])
def test_what_the_database_cannot_store_is_kept_by_no_half(
    system: System, post: Post, event: Build, state: str
) -> None:
    with psycopg.connect(system.postgres_url, autocommit=True) as owner:
        owner.execute(
            "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
            f" IF NEW.event_id = 'last' THEN RAISE 'no more' USING ERRCODE = '{state}'; END IF; RETURN NEW; END $$"
        )
        owner.execute(
            "CREATE TRIGGER full_disk AFTER INSERT ON metering_usageevent FOR EACH ROW EXECUTE FUNCTION refuse()"
        )
        for events in (event("last"), [event("first"), event("last")]):
            refused = post(events)
            assert (refused.status_code, refused.json()["code"]) == (503, "busy")
            time.sleep(1.1)
        owner.execute("DROP FUNCTION refuse() CASCADE")
    assert post([event("first"), event("last")]).json()["accepted"] == 2


def test_under_several_times_its_load_the_door_goes_on_and_sends_the_rest_away(
    system: System, post: Post, vendor: Vendor
) -> None:
    sender = Sender(system.port, vendor.secret)
    sender.send(200, 4, patience=None, seconds=0.3)  # the first requests of a process take longer
    many = sender.send(200, 150, patience=0.0, seconds=2)
    assert set(many.statuses) == {200, 503}
    assert many.without_retry_after == 0
    assert b'"code":"overloaded"' in many.last or many.last.startswith(b'{"accepted":200')
    assert max(many.refusals) < 10
    with psycopg.connect(system.postgres_url) as other:
        stored = other.execute(
            "SELECT COUNT(*), COUNT(DISTINCT (source, event_id)) FROM metering_usageevent WHERE organization_id = %s",
            [vendor.organization_id],
        ).fetchone()
    assert stored == (sender.acknowledged, sender.acknowledged)
    assert post({"specversion": "1.0", "id": "x", "source": "s", "type": "t"}).json()["accepted"] == 1


def test_the_otlp_door_is_shut_by_a_busy_database_too(system: System, vendor: Vendor) -> None:
    headers = {"Authorization": f"Bearer {vendor.secret}", "Content-Type": "application/x-protobuf"}
    body = to_protobuf(request(span("c1", CHAT)))

    def export(_: int = 0) -> httpx.Response:
        return httpx.post(f"{system.address}/v1/traces", content=body, headers=headers, timeout=30, trust_env=False)

    with psycopg.connect(system.postgres_url) as other, ThreadPoolExecutor(8) as senders:
        other.execute("LOCK TABLE metering_usageevent")
        refused = list(senders.map(export, range(8)))
    assert {answer.status_code for answer in refused} == {503}
    assert all(int(answer.headers["retry-after"]) >= 1 for answer in refused)
    assert {status_pb2.Status.FromString(answer.content).code for answer in refused} == {14}  # UNAVAILABLE
    time.sleep(1.1)
    assert [export().status_code for _ in range(2)] == [200, 200]
