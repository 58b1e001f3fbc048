"""The reading client's HTTP against a server on a free port that answers what the test tells it to."""

from __future__ import annotations

import os
import socket
import threading
import time
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from email.utils import format_datetime
from typing import Any

import pytest
from taximeter import ConfigurationError
from taximeter.client import (
    ApiError,
    Client,
    Conflict,
    FieldProblem,
    Forbidden,
    Invalid,
    Malformed,
    NoAnswer,
    NotFound,
    RateLimited,
    ServerError,
    Unauthenticated,
    Unavailable,
    UnexpectedAnswer,
)
from taximeter.client.decoding import parse_instant

from tests.sdk.answering import Answer, Server, answering, problem

OCTOBER = {"start": datetime(2026, 10, 1, tzinfo=UTC), "end": datetime(2026, 11, 1, tzinfo=UTC)}
USAGE = {
    "meter": "turns", "from": "2026-10-01T00:00:00Z", "to": "2026-11-01T00:00:00Z", "window": "total",
    "timezone": "UTC", "data": [{"start": "2026-10-01T00:00:00Z", "end": "2026-11-01T00:00:00Z", "quantity": "7.5"}],
}  # fmt: skip


@pytest.fixture
def server():
    with answering() as server:
        server.usual = Answer(body=USAGE)
        yield server


@pytest.fixture
def waits(monkeypatch):
    """The waits between attempts, not waited for."""
    found: list[float] = []
    monkeypatch.setattr("taximeter.client.connection._rest", found.append)
    return found


def ask(server: Server, **options: Any) -> Decimal:
    with Client(server.address, "k", **options) as client:
        return client.usage("turns", **OCTOBER).quantity


def test_a_quantity_is_a_decimal_and_a_time_an_instant(server):
    with Client(server.address, "k") as client:
        usage = client.usage("turns", **OCTOBER, group_by=["agent", "customer"], where={"model": "a b"})
    assert usage.quantity == Decimal("7.5")
    assert (usage.start, usage.rows[0].end) == (OCTOBER["start"], OCTOBER["end"])
    assert server.paths == [
        "/api/v1/meters/turns/usage?model=a+b&from=2026-10-01T00%3A00%3A00Z&to=2026-11-01T00%3A00%3A00Z"
        "&window=total&timezone=UTC&group_by=agent%2Ccustomer"
    ]
    assert server.headers[0]["Authorization"] == "Bearer k"


def test_questions_share_a_connection(server):
    with Client(server.address, "k") as client:
        for _ in range(3):
            client.usage("turns", **OCTOBER)
    assert len(server.connections) == 1
    assert len(server.paths) == 3


def test_a_connection_that_the_server_closed_is_replaced_without_a_wait(server, waits):
    with Client(server.address, "k", attempts=1) as client:
        client.usage("turns", **OCTOBER)
        server.connections[0].shutdown(socket.SHUT_RDWR)
        time.sleep(0.05)
        client.usage("turns", **OCTOBER)
    assert len(server.connections) == 2
    assert waits == []


def test_threads_do_not_wait_for_each_other(server):
    server.answers = [Answer(body=USAGE, delay=1) for _ in range(4)]
    with Client(server.address, "k") as client:
        threads = [threading.Thread(target=client.usage, args=("turns",), kwargs=OCTOBER) for _ in range(4)]
        began = time.monotonic()
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert time.monotonic() - began < 3
    assert len(server.connections) == 4


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_forked_child_opens_its_own_connection(server):
    with Client(server.address, "k") as client:
        client.usage("turns", **OCTOBER)
        child = os.fork()
        if child == 0:
            try:
                os._exit(0 if client.usage("turns", **OCTOBER).quantity == Decimal("7.5") else 1)
            finally:
                os._exit(2)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        client.usage("turns", **OCTOBER)
    assert len(server.connections) == 2


def test_what_passes_is_asked_again(server, waits):
    server.answers = [problem(500, "server_error"), Answer(body=USAGE, cut=10), problem(503, "unavailable")]
    assert ask(server) == Decimal("7.5")
    assert len(server.paths) == 4
    assert [0.25 <= waits[0] <= 0.5, 0.5 <= waits[1] <= 1, 1 <= waits[2] <= 2] == [True] * 3


def test_retry_after_is_waited_for_as_seconds_and_as_a_date(server, waits):
    later = format_datetime(datetime.now(UTC) + timedelta(seconds=20), usegmt=True)
    server.answers = [problem(429, "too_fast"), problem(503, "unavailable")]
    server.answers[0].headers["Retry-After"] = "3"
    server.answers[1].headers["Retry-After"] = later
    assert ask(server) == Decimal("7.5")
    assert 3 <= waits[0] <= 3.1
    assert 17 <= waits[1] <= 20.1


def test_a_retry_after_beyond_patience_is_raised_at_once(server, waits):
    server.answers = [problem(429, "too_fast", detail="later")]
    server.answers[0].headers["Retry-After"] = "3600"
    with pytest.raises(RateLimited) as raised:
        ask(server)
    assert raised.value.retry_after == 3600
    assert waits == []


def test_it_gives_up_after_its_attempts_with_the_last_refusal(server, waits):
    server.answers = [problem(500, "server_error")] * 2 + [problem(503, "busy", detail="no room")]
    with pytest.raises(Unavailable, match="503 busy: no room"):
        ask(server, attempts=3)
    assert len(waits) == 2


def test_nobody_listening_is_no_answer(waits):
    with pytest.raises(NoAnswer, match=r"127\.0\.0\.1"):
        Client("http://127.0.0.1:1", "k", attempts=2).usage("turns", **OCTOBER)
    assert len(waits) == 1


def test_a_server_that_says_nothing_is_no_answer(server, waits):
    server.answers = [Answer(body=USAGE, delay=0.5)] * 2
    with pytest.raises(NoAnswer):
        ask(server, timeout=0.1, attempts=2)


@pytest.mark.parametrize(
    ("status", "kind"),
    [(400, Malformed), (401, Unauthenticated), (403, Forbidden), (404, NotFound), (409, Conflict), (422, Invalid)],
)
def test_a_refusal_is_an_error_of_its_kind_and_is_not_asked_again(server, waits, status, kind):
    server.answers = [
        problem(status, "a_code", detail="why", errors=[{"pointer": "/month", "code": "bad", "detail": "no month"}])
    ]
    with pytest.raises(kind) as raised:
        ask(server)
    error = raised.value
    assert (error.status, error.code, error.detail) == (status, "a_code", "why")
    assert error.errors == (FieldProblem("/month", "bad", "no month"),)
    assert len(server.paths) == 1


def test_an_answer_that_is_no_problem_document_still_says_what_came(server, waits):
    server.answers = [Answer(418, b"<h1>teapot</h1>")]
    with pytest.raises(ApiError, match="418 http_418: <h1>teapot</h1>"):
        ask(server)
    server.answers = [Answer(500, b"oops")]
    with pytest.raises(ServerError):
        ask(server, attempts=1)


@pytest.mark.parametrize("body", [b"<html>", [], {"meter": "turns"}, USAGE | {"data": [{"start": "yesterday"}]}])
def test_an_answer_of_another_shape_is_not_guessed_at(server, body):
    server.answers = [Answer(body=body)]
    with pytest.raises(UnexpectedAnswer):
        ask(server)


def test_names_a_newer_server_adds_are_passed_over(server):
    server.answers = [Answer(body=USAGE | {"new": {"a": [1]}})]
    assert ask(server) == Decimal("7.5")


def test_a_list_is_fetched_page_by_page_while_it_is_read(server):
    event = {
        "specversion": "1.0", "id": "1", "source": "s", "type": "t", "subject": None, "time": "2026-10-01T00:00:00Z",
        "received_at": "2026-10-01T00:00:00.5Z", "data": {}, "voided": False,
    }  # fmt: skip
    pages = [
        Answer(body={"data": [event, event | {"id": "2"}], "next_cursor": "c1"}),
        Answer(body={"data": [event | {"id": "3"}], "next_cursor": None}),
    ]
    with Client(server.address, "k") as client:
        server.answers = list(pages)
        listing = client.events.list(customer="acme", page_size=2)
        assert listing.first().id == "1"
        assert server.paths == ["/api/v1/events?customer=acme&limit=2"]
        server.answers = list(pages)
        assert [one.id for one in listing] == ["1", "2", "3"]
        assert server.paths[-1] == "/api/v1/events?customer=acme&limit=2&cursor=c1"
        server.answers = pages[1:]
        assert [one.id for page in listing.pages("c1") for one in page.items] == ["3"]


def test_a_reference_may_hold_any_character(server):
    server.answers = [problem(404, "not_found")]
    with pytest.raises(NotFound):
        Client(server.address, "k").customers.get("a/b?c#d")
    assert server.paths == ["/api/v1/customers/a%2Fb%3Fc%23d"]


def test_the_environment_may_say_where_and_with_which_key(server, monkeypatch):
    monkeypatch.setenv("TAXIMETER_URL", server.address)
    monkeypatch.setenv("TAXIMETER_API_KEY", "from the environment")
    assert Client().usage("turns", **OCTOBER).quantity == Decimal("7.5")
    assert server.headers[0]["Authorization"] == "Bearer from the environment"


def test_mistakes_are_told_before_anything_is_sent(server, monkeypatch):
    for name in ("TAXIMETER_API_KEY", "TAXIMETER_URL"):
        monkeypatch.delenv(name, raising=False)
    client = Client(server.address, "k")
    with pytest.raises(ValueError, match="without a zone"):
        client.usage("turns", start=datetime(2026, 10, 1), end=OCTOBER["end"])  # noqa: DTZ001
    with pytest.raises(TypeError, match="list of names"):
        client.usage("turns", **OCTOBER, group_by="agent")
    with pytest.raises(ValueError, match="needs an id"):
        client.customers.get("")
    with pytest.raises(ValueError, match="page_size"):
        client.events.list(page_size=0)
    with pytest.raises(ValueError, match="no http"):
        Client("taximeter.example", "k")
    with pytest.raises(ConfigurationError, match="TAXIMETER_API_KEY"):
        Client(server.address)
    assert server.paths == []


@pytest.mark.parametrize(
    ("text", "instant"),
    [
        ("2026-10-01T02:00:00+02:00", datetime(2026, 10, 1, tzinfo=UTC)),
        ("2026-10-01T00:00:00.5Z", datetime(2026, 10, 1, 0, 0, 0, 500000, tzinfo=UTC)),
        ("2026-10-01T00:00:00.123456789Z", datetime(2026, 10, 1, 0, 0, 0, 123456, tzinfo=UTC)),
    ],
)
def test_instants_of_every_precision_are_read(text, instant):
    assert parse_instant(text) == instant
