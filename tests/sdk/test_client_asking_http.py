"""Asking before acting, against a server that answers what the test tells it to."""

from __future__ import annotations

import asyncio
import logging
import time
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from taximeter.client import Client, Conflict, Invalid, NoAnswer, NotAllowed, Unauthenticated, Unavailable

from tests.sdk.answering import Answer, Server, answering, problem

YES = {
    "allowed": True, "reason": None, "detail": None, "budget": None, "remaining": "42", "remaining_amount": None,
    "currency": None, "warnings": [], "reservation": None,
}  # fmt: skip
NO = YES | {"allowed": False, "reason": "budget_stopped", "detail": "The budget b is used up", "budget": "bdg_1"}
HELD = YES | {"reservation": {"id": "rsv_1", "expires_at": "2026-10-14T12:05:00Z"}}
ENDED = {
    "id": "rsv_1", "customer": "acme", "agent": None, "feature": None, "meter": "turns", "quantity": "1",
    "state": "settled", "created_at": "2026-10-14T12:00:00Z", "expires_at": "2026-10-14T12:05:00Z",
    "ended_at": "2026-10-14T12:01:00Z",
}  # fmt: skip


@pytest.fixture
def server():
    with answering() as server:
        server.usual = Answer(body=YES)
        yield server


@pytest.fixture
def client(server, monkeypatch):
    monkeypatch.setattr("taximeter.client.connection._rest", lambda seconds: None)
    with Client(server.address, "k", check_timeout=30) as client:
        yield client


def holding(server: Server, *then: Answer) -> None:
    """The next check reserves; what follows is answered by `then`."""
    server.answers = [Answer(body=HELD), *then]
    server.usual = Answer(body=ENDED)


def test_a_question_says_what_is_known_and_no_more(server, client):
    assert client.check("acme", agent="support@3").remaining == Decimal(42)
    assert client.check(feature="search", quantity=Decimal("1E+1"), amount="0.50", cost=2, dimensions={"model": "m"})
    assert server.paths == ["/api/v1/entitlements/check"] * 2
    assert server.bodies == [
        {"customer": "acme", "agent": "support", "quantity": "1"},
        {"feature": "search", "quantity": "10", "amount": "0.50", "cost": "2", "dimensions": {"model": "m"}},
    ]
    assert server.headers[0]["Authorization"] == "Bearer k"
    assert "Idempotency-Key" not in server.headers[0]


def test_a_verdict_is_true_where_it_allows_and_can_be_required(server, client):
    assert client.check("acme").require() == client.check("acme")
    server.usual = Answer(body=NO)
    verdict = client.check("acme")
    assert not verdict
    assert verdict.is_answered
    with pytest.raises(NotAllowed, match="budget_stopped: The budget b is used up") as raised:
        verdict.require()
    assert (raised.value.reason, raised.value.verdict) == ("budget_stopped", verdict)
    with pytest.raises(NotAllowed):
        client.reserve("acme", meter="turns")


def test_a_reservation_sent_again_is_sent_as_the_same_one(server, client):
    holding(server)
    server.answers = [Answer(cut=1), problem(409, "idempotency_running"), problem(503, "busy"), *server.answers]
    held = client.reserve("acme", meter="turns", lifetime=timedelta(minutes=1))
    assert held.id == "rsv_1"
    [key] = {headers["Idempotency-Key"] for headers in server.headers}
    assert len(key) == 32
    assert server.bodies[0] == server.bodies[-1]
    assert server.bodies[0]["reserve"] is True
    assert server.bodies[0]["lifetime_seconds"] == 60
    holding(server)
    client.reserve("acme", idempotency_key="ticket-7")
    assert server.headers[-1]["Idempotency-Key"] == "ticket-7"


def test_work_that_is_done_is_committed(server, client):
    holding(server)
    with client.reserve("acme", meter="turns"):
        pass
    assert server.paths[-1] == "/api/v1/reservations/rsv_1/commit"
    assert server.bodies[-1] == {}


def test_what_was_used_and_its_events_are_said_once(server, client):
    holding(server)
    with client.reserve("acme", meter="turns", quantity=5) as held:
        done = held.commit(quantity=3, events=[("desk", "turn-1"), {"source": "desk", "id": "turn-2", "data": {}}])
    assert done.state == "settled"
    assert len(server.paths) == 2
    assert server.bodies[-1] == {
        "quantity": "3",
        "events": [{"source": "desk", "id": "turn-1"}, {"source": "desk", "id": "turn-2"}],
    }


@pytest.mark.parametrize("error", [RuntimeError, asyncio.CancelledError])
def test_work_that_fails_is_released_and_its_error_goes_on(server, client, error):
    holding(server)
    with pytest.raises(error), client.reserve("acme"):
        raise error
    assert server.paths[-1] == "/api/v1/reservations/rsv_1/release"


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit])
def test_a_process_that_ends_asks_nothing_more(server, client, error):
    holding(server)
    with pytest.raises(error), client.reserve("acme"):
        raise error
    assert len(server.paths) == 1


def fail(client: Client, server: Server, then: Answer) -> None:
    holding(server)
    with client.reserve("acme"):
        server.usual = then
        raise RuntimeError("the work's own")


@pytest.mark.parametrize("then", [problem(409, "reservation_ended"), problem(500, "server_error")])
def test_what_cannot_be_said_at_the_end_of_a_block_is_logged_and_no_error_of_the_work(server, client, caplog, then):
    holding(server)
    with caplog.at_level(logging.WARNING, "taximeter"):
        with client.reserve("acme"):
            server.usual = then
        with pytest.raises(RuntimeError, match="the work's own"):
            fail(client, server, then)
    assert [record.message.partition(":")[0] for record in caplog.records] == [
        "reservation rsv_1 is left to expire"
    ] * 2


def test_a_commit_by_hand_that_failed_is_no_release(server, client):
    holding(server, problem(409, "reservation_ended"))
    with pytest.raises(Conflict), client.reserve("acme") as held:
        held.commit()
    assert [path.rpartition("/")[2] for path in server.paths] == ["check", "commit"]


def test_in_asyncio_too(server, client):
    async def work() -> None:
        held = await asyncio.to_thread(client.reserve, "acme")
        async with held:
            await asyncio.sleep(0)
        with pytest.raises(asyncio.CancelledError):
            async with await asyncio.to_thread(client.reserve, "acme"):
                raise asyncio.CancelledError

    server.answers = [Answer(body=HELD), Answer(body=ENDED), Answer(body=HELD), Answer(body=ENDED)]
    asyncio.run(work())
    assert [path.rpartition("/")[2] for path in server.paths] == ["check", "commit", "check", "release"]


def unreached(address: str, **options: Any) -> Client:
    return Client(address, "k", attempts=2, **options)


@pytest.fixture
def nowhere(monkeypatch):
    monkeypatch.setattr("taximeter.client.connection._rest", lambda seconds: None)
    return "http://127.0.0.1:1"


def test_work_is_refused_where_taximeter_cannot_be_asked(nowhere, caplog):
    client = unreached(nowhere)
    verdict = client.check("acme")
    assert (verdict.allowed, verdict.reason, verdict.is_answered) == (False, "unreachable", False)
    assert "the work is refused" in caplog.text
    with pytest.raises(NotAllowed, match="unreachable"):
        client.reserve("acme")


def test_or_allowed_with_nothing_held_where_it_is_told_so(nowhere, caplog):
    client = unreached(nowhere, on_unreachable="allow")
    verdict = client.check("acme")
    assert (verdict.allowed, verdict.reason, verdict.is_answered) == (True, "unreachable", False)
    assert "the work is allowed" in caplog.text
    with client.reserve("acme") as held:
        assert (held.id, held.expires_at) == (None, None)
        assert held.commit() is None
    assert held.release() is None


def test_or_its_error_is_raised(nowhere, server):
    with pytest.raises(NoAnswer):
        unreached(nowhere).check("acme", on_unreachable="raise")
    server.usual = problem(503, "overloaded")
    with pytest.raises(Unavailable):
        unreached(server.address, on_unreachable="raise").reserve("acme")


@pytest.mark.parametrize("answer", [problem(503, "overloaded"), problem(500, "server_error"), problem(429, "too_fast")])
def test_a_server_that_fails_is_not_reached_either(server, client, answer):
    server.usual = answer
    assert client.check("acme").reason == "unreachable"
    assert client.check("acme", on_unreachable="allow")


def test_a_mistake_in_the_question_is_no_server_that_cannot_be_reached(server, client):
    server.answers = [problem(401, "key_invalid"), problem(422, "estimate_required")]
    with pytest.raises(Unauthenticated):
        client.check("acme", on_unreachable="allow")
    with pytest.raises(Invalid):
        client.reserve("acme", on_unreachable="allow")


def test_a_check_ends_within_its_time_however_often_it_is_asked_again(server):
    server.usual = Answer(body=YES, delay=5)
    with Client(server.address, "k", check_timeout=0.3) as client:
        began = time.monotonic()
        assert client.check("acme").reason == "unreachable"
        assert time.monotonic() - began < 4
        server.usual = problem(503, "busy")
        server.usual.headers["Retry-After"] = "20"
        assert client.check("acme", timeout=0.2).reason == "unreachable"
        server.usual = Answer(body=YES)
        assert client.check("acme")


def test_mistakes_are_told_before_anything_is_sent(server, client):
    with pytest.raises(ValueError, match="not of both"):
        client.check("acme", feature="a", meter="b")
    with pytest.raises(TypeError, match="no exact number"):
        client.check("acme", quantity=0.5)
    with pytest.raises(ValueError, match="names no agent"):
        client.check("acme", agent="@3")
    with pytest.raises(ValueError, match="at least a second"):
        client.reserve("acme", lifetime=timedelta(0))
    with pytest.raises(ValueError, match="refuse, allow, raise"):
        client.check("acme", on_unreachable="perhaps")
    with pytest.raises(ValueError, match="refuse, allow, raise"):
        Client(server.address, "k", on_unreachable="")
    with pytest.raises(ValueError, match="check_timeout"):
        Client(server.address, "k", check_timeout=0)
    with pytest.raises(ValueError, match="needs an id"):
        client.reservations.release("")
    holding(server)
    with pytest.raises(ValueError, match="its source and its id"):
        client.reserve("acme").commit(events=[{"id": "1"}])
    assert server.paths == ["/api/v1/entitlements/check"]
