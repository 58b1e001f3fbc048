"""What the background sender makes of a server that is down, slow, wrong or half there."""

from __future__ import annotations

import logging
import random
import threading
import time
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from taximeter import Meter, QueueTransport, SpoolTransport
from taximeter.delivery.sender import Waits

from tests.sdk.receiver import (
    answering,
    leaving_out_one,
    receiving,
    slowly,
    storing_and_answering_half,
    storing_then_resetting,
    too_large_above,
    wait_for,
)
from tests.system import free_port

QUICK = Waits(first=0.01, longest=0.05, idle=0.01)


@pytest.fixture
def receiver():
    with receiving() as server:
        yield server


@pytest.fixture(params=["spool", "queue"])
def transport(request, receiver, tmp_path):
    made = transport_to(receiver, tmp_path, kind=request.param)
    yield made
    made.close(0)


def transport_to(receiver, tmp_path, *, kind="spool", **options):
    options = {"api_key": "k", "waits": QUICK, **options}
    if kind == "queue":
        return QueueTransport(receiver.address, **options)
    return SpoolTransport(receiver.address, directory=tmp_path / "spool", **options)


def record(transport, *ids):
    meter = Meter(source="desk", transport=transport)
    for id in ids:
        meter.record("t", "acme", {"n": 1}, id=id)
    return meter


def test_events_arrive_in_the_order_they_were_recorded(transport, receiver):
    names = [f"e{n}" for n in range(500)]
    assert record(transport, *names).flush(60)
    assert receiver.ids() == names
    assert transport.stats().stored == 500


def test_a_task_is_sent_event_by_event_and_in_order(transport, receiver):
    meter = Meter(source="desk", transport=transport)
    with meter.task("t", customer="acme", agent="a", task_id="x") as task:
        with task.turn() as turn:
            turn.inference(model="m", input_tokens=1, output_tokens=1)
            assert meter.flush(60)
            assert receiver.ids() == ["x/turn-1/inference-1"]
        task.succeed()
    assert meter.flush(60)
    assert receiver.ids() == ["x/turn-1/inference-1", "x/turn-1", "x/task"]


@pytest.mark.parametrize(
    "trouble",
    [
        answering(500),
        answering(503, Retry_After="0"),
        answering(429, Retry_After="0"),
        answering(408),
        answering(425),
        leaving_out_one,
        answering(200, ["no receipt"]),
        storing_then_resetting,
        storing_and_answering_half,
    ],
)
def test_what_may_pass_is_tried_until_it_does_and_arrives_once(transport, receiver, trouble):
    receiver.script = [trouble] * 3
    assert record(transport, "a", "b", "c").flush(60)
    assert receiver.ids() == ["a", "b", "c"]
    assert transport.stats().refused == 0
    assert transport.stats().problem is None


@pytest.mark.parametrize("status", [301, 401, 402, 403, 404, 405, 410, 415])
def test_what_somebody_can_put_right_holds_the_events(transport, receiver, status):
    receiver.always = answering(status, {"code": "wrong"})
    meter = record(transport, "a", "b")
    assert not meter.flush(0.3)
    assert str(status) in transport.stats().problem
    receiver.always = None
    assert meter.flush(60)
    assert receiver.ids() == ["a", "b"]
    assert transport.stats().refused == 0


def test_a_server_that_is_not_there_costs_nothing_but_time(tmp_path):
    port = free_port()
    transport = SpoolTransport(f"http://127.0.0.1:{port}", api_key="k", directory=tmp_path, waits=QUICK)
    meter = record(transport, "a", "b")
    assert not meter.flush(0.2)
    with receiving(port) as receiver:
        assert meter.flush(60)
        assert receiver.ids() == ["a", "b"]
    meter.close()


def test_a_server_slower_than_the_timeout_stores_each_event_once(receiver, tmp_path):
    transport = transport_to(receiver, tmp_path, timeout=0.3)
    receiver.script = [slowly(0.6)]
    assert record(transport, "a", "b").flush(60)
    assert receiver.ids() == ["a", "b"]
    # The first request had both, or only the first of them where the sender was quicker than the recording.
    assert transport.stats().duplicates in {1, 2}
    transport.close()


def test_a_server_too_slow_for_a_batch_gets_smaller_ones(receiver, tmp_path):
    def in_time_for_small_ones(handler, events):
        time.sleep(1.5 if len(events) > 100 else 0)
        handler.answer(200, receiver.store(events))

    receiver.always = in_time_for_small_ones
    transport = transport_to(receiver, tmp_path, timeout=0.6)
    meter = Meter(source="desk", transport=transport)
    names = [f"e{n}" for n in range(500)]
    meter.send([meter.event("t", "acme", {}, id=name) for name in names])
    assert meter.flush(30)
    assert receiver.ids() == names
    assert len(receiver.batches[-1]) <= 100
    transport.close()


def test_recording_does_not_wait_for_a_server_that_hangs(transport, receiver):
    receiver.script = [slowly(3)]
    record(transport, "first")
    assert wait_for(lambda: receiver.requests == 1)
    began = time.monotonic()
    record(transport, *(f"e{n}" for n in range(1000)))
    assert time.monotonic() - began < 2.5


def test_what_is_too_large_is_split_and_keeps_its_order(transport, receiver):
    receiver.always = too_large_above(3)
    names = [f"e{n}" for n in range(40)]
    assert record(transport, *names).flush(60)
    assert receiver.ids() == names
    assert transport.stats().refused == 0


@pytest.mark.parametrize("status", [400, 422])
def test_what_a_proxy_says_of_its_own_gives_up_no_event(receiver, tmp_path, status):
    transport = transport_to(receiver, tmp_path)

    def as_nginx_does(handler, events):
        handler.send_response(status)
        handler.send_header("Content-Length", "12")
        handler.end_headers()
        handler.wfile.write(b"<html></html"[:12])

    receiver.always = as_nginx_does
    meter = record(transport, "a", "b")
    assert not meter.flush(0.2)
    receiver.always = None
    assert meter.flush(60)
    assert receiver.ids() == ["a", "b"]
    assert list(transport.directory.refused()) == []
    transport.close()


@pytest.mark.parametrize("status", [400, 413, 422])
def test_one_event_that_spoils_its_batch_is_set_aside_and_the_others_arrive(receiver, tmp_path, status):
    transport = transport_to(receiver, tmp_path)

    def answer(handler, events):
        if any(event["id"] == "e7" for event in events):
            handler.answer(status, {"code": "spoilt", "detail": "no"})
        else:
            handler.answer(200, receiver.store(events))

    receiver.always = answer
    names = [f"e{n}" for n in range(20)]
    assert record(transport, *names).flush(60)
    assert receiver.ids() == [name for name in names if name != "e7"]
    [entry] = transport.directory.refused()
    assert (entry["event"]["id"], entry["code"], entry["status"]) == ("e7", "spoilt", status)
    transport.close()


def test_events_refused_one_by_one_are_set_aside_with_their_reasons(receiver, tmp_path, caplog):
    transport = transport_to(receiver, tmp_path)
    receiver.refuses = lambda event: ("field_invalid", "not like this") if event["id"] in {"b", "d"} else None
    with caplog.at_level(logging.WARNING, "taximeter"):
        assert record(transport, "a", "b", "c", "d").flush(60)
    assert receiver.ids() == ["a", "c"]
    assert [(one["event"]["id"], one["code"], one["detail"]) for one in transport.directory.refused()] == [
        ("b", "field_invalid", "not like this"),
        ("d", "field_invalid", "not like this"),
    ]
    assert transport.stats().refused == 2
    assert "not like this" in caplog.text
    transport.close()


def test_in_memory_the_refused_are_kept_too(receiver, tmp_path):
    transport = transport_to(receiver, tmp_path, kind="queue")
    receiver.refuses = lambda event: ("field_invalid", "no")
    assert record(transport, "a").flush(60)
    [(payload, refusal)] = transport.refused()
    assert b'"id":"a"' in payload
    assert refusal.code == "field_invalid"
    transport.close()


@pytest.mark.parametrize("form", ["seconds", "date"])
def test_retry_after_is_honoured_even_by_a_flush(receiver, tmp_path, form):
    # The server's clock is an hour ahead of ours: a date is taken by its own.
    ahead = datetime.now(UTC) + timedelta(hours=1)
    headers = {"Retry_After": "1", "Date": format_datetime(ahead, usegmt=True)}
    if form == "date":
        headers["Retry_After"] = format_datetime(ahead + timedelta(seconds=2), usegmt=True)

    def busy(handler, events):
        handler.send_response_only(429)
        for name, value in headers.items():
            handler.send_header(name.replace("_", "-"), value)
        handler.send_header("Content-Length", "0")
        handler.end_headers()

    receiver.script = [busy]
    transport = transport_to(receiver, tmp_path)
    began = time.monotonic()
    assert record(transport, "a").flush(30)
    assert 0.95 <= time.monotonic() - began < 20
    assert receiver.requests == 2
    transport.close()


def test_waits_grow_and_are_drawn_from_nothing_to_a_limit():
    waits = Waits(first=1, longest=8)
    drawn = {failures: [waits.after(failures) for _ in range(400)] for failures in (1, 2, 3, 4, 5, 50)}
    for failures, ceiling in {1: 1, 2: 2, 3: 4, 4: 8, 5: 8, 50: 8}.items():
        assert 0 <= min(drawn[failures]) < 0.1 * ceiling
        assert 0.9 * ceiling < max(drawn[failures]) <= ceiling


def test_a_clock_that_jumps_does_not_matter(receiver, tmp_path, monkeypatch):
    draw = random.Random(7)
    monkeypatch.setattr(time, "time", lambda: draw.uniform(0, 4e9))
    receiver.script = [answering(500), answering(503, Retry_After="0"), answering(429, Retry_After="0")] * 3
    transport = transport_to(receiver, tmp_path)
    began = time.monotonic()
    names = [f"e{n}" for n in range(100)]
    assert record(transport, *names).flush(30)
    assert time.monotonic() - began < 25
    assert receiver.ids() == names
    transport.close()


def test_a_flush_does_not_wait_out_the_backoff(receiver, tmp_path):
    transport = transport_to(receiver, tmp_path, waits=Waits(first=60, longest=60, idle=0.01))
    receiver.script = [answering(500)]
    meter = record(transport, "a")
    assert wait_for(lambda: transport.stats().problem is not None)
    time.sleep(0.05)
    assert meter.flush(30)
    assert receiver.ids() == ["a"]
    transport.close()


def test_flush_gives_up_in_time(receiver, tmp_path):
    transport = transport_to(receiver, tmp_path)
    receiver.always = answering(500)
    began = time.monotonic()
    assert not record(transport, "a").flush(0.3)
    assert 0.3 <= time.monotonic() - began < 5
    transport.close(0)


def test_the_trouble_is_logged_once_and_its_end_too(receiver, tmp_path, caplog):
    transport = transport_to(receiver, tmp_path)
    receiver.script = [answering(503, {"code": "busy"})] * 5
    with caplog.at_level(logging.INFO, "taximeter"):
        assert record(transport, "a").flush(60)
    assert [entry.getMessage()[:18] for entry in caplog.records] == ["events wait until ", "events are deliver"]
    transport.close()


def test_many_threads_record_into_one_transport(transport, receiver):
    meter = Meter(source="desk", transport=transport)

    def work(name):
        with meter.task("t", customer="acme", agent="a", task_id=name) as task:
            for _ in range(20):
                with task.turn() as turn:
                    turn.decision("route", choice="a")
            task.succeed()

    threads = [threading.Thread(target=work, args=(f"task{n}",)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert meter.flush(60)
    for n in range(8):
        mine = [id for id in receiver.ids() if id.startswith(f"task{n}/")]
        assert mine == [
            *(f"task{n}/turn-{turn}{kind}" for turn in range(1, 21) for kind in ("/decision-1", "")),
            f"task{n}/task",
        ]
