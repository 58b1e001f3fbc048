"""What happens where there is no room for an event: in the spool, on the disk, in memory."""

from __future__ import annotations

import errno
import json
import os
import time

import pytest
from taximeter import Meter, QueueTransport, SpoolFull
from taximeter.delivery.outbox import Refusal
from taximeter.spool.directory import SpoolDirectory

from tests.sdk.receiver import answering, receiving, wait_for
from tests.sdk.spools import MIB, NOWHERE, QUICK, abandon, left_in, record, spool


def test_a_full_spool_drops_the_oldest_and_says_how_many(tmp_path, caplog):
    transport = spool(tmp_path, max_bytes=MIB)
    names = [f"e{n}" for n in range(200)]
    record(transport, *names, size=10_000)
    lost = transport.stats().lost
    assert transport.directory.used_bytes() <= MIB
    transport.close(0)
    left = left_in(tmp_path / "spool")
    assert left == names[lost:]
    assert 100 < lost < 150
    assert sum(entry["events"] for entry in SpoolDirectory(tmp_path / "spool").losses()) == lost
    assert "the oldest" in caplog.text


def test_a_full_spool_drops_what_dead_processes_left_before_its_own(tmp_path):
    dead = spool(tmp_path, max_bytes=MIB)
    record(dead, *(f"old{n}" for n in range(40)), size=10_000)
    abandon(dead)
    transport = spool(tmp_path, max_bytes=MIB, adopt_every=1000)
    names = [f"e{n}" for n in range(80)]
    record(transport, *names, size=10_000)
    transport.close(0)
    left = left_in(tmp_path / "spool")
    assert [one for one in left if one.startswith("e")] == names
    assert 0 < transport.stats().lost <= 40


def test_a_full_spool_raises_where_it_is_told_to_and_keeps_the_rest(tmp_path):
    transport = spool(tmp_path, max_bytes=MIB, when_full="raise")
    names = [f"e{n}" for n in range(200)]
    with pytest.raises(SpoolFull, match="not recorded"):
        record(transport, *names, size=10_000)
    transport.close(0)
    left = left_in(tmp_path / "spool")
    assert left == names[: len(left)]
    assert 80 < len(left) < 110


def test_a_full_spool_blocks_until_there_is_room(tmp_path):
    with receiving() as receiver:
        receiver.script = [answering(503)] * 10
        transport = spool(tmp_path, receiver.address, max_bytes=MIB, when_full="block", batch_events=10)
        names = [f"e{n}" for n in range(300)]
        record(transport, *names, size=10_000)
        assert transport.flush(60)
        assert receiver.ids() == names
        transport.close()


def test_a_blocked_event_is_given_up_counted_and_logged_in_the_end(tmp_path, caplog):
    transport = spool(tmp_path, max_bytes=MIB, when_full="block", block_seconds=0.1)
    while not transport.stats().lost:
        record(transport, "e", size=10_000)
    assert transport.stats().lost == 1
    assert "lost" in caplog.text
    transport.close(0)


class FullDisk:
    """A disk with room for `room` bytes: what is written beyond is cut short, as the system does it."""

    def __init__(self, monkeypatch, room):
        self.room = room
        self.write = os.write
        monkeypatch.setattr("taximeter.spool.writer.os.write", self)

    def __call__(self, descriptor, data):
        if self.room <= 0:
            raise OSError(errno.ENOSPC, "No space left on device")
        written = self.write(descriptor, data[: self.room])
        self.room -= written
        return written


@pytest.mark.parametrize("room", [1, 300, 1000])
def test_a_full_disk_leaves_whole_records_and_says_what_was_lost(tmp_path, monkeypatch, caplog, room):
    transport = spool(tmp_path)
    disk = FullDisk(monkeypatch, room)
    record(transport, *(f"e{n}" for n in range(10)), size=50)
    lost = transport.stats().lost
    assert 5 < lost <= 10
    assert "No space left" in caplog.text
    disk.room = 1 << 30
    record(transport, "after")
    transport.close(0)
    assert left_in(tmp_path / "spool") == [*(f"e{n}" for n in range(10 - lost)), "after"]
    assert sum(entry["events"] for entry in transport.directory.losses()) == lost


def test_a_full_disk_raises_where_it_is_told_to(tmp_path, monkeypatch):
    transport = spool(tmp_path, when_full="raise")
    FullDisk(monkeypatch, 100)
    with pytest.raises(SpoolFull, match="No space left"):
        record(transport, "a")
    transport.close(0)


def test_a_task_goes_on_when_the_disk_is_full(tmp_path, monkeypatch):
    transport = spool(tmp_path)
    FullDisk(monkeypatch, 0)
    with Meter(source="desk", transport=transport).task("t", customer="acme", agent="a") as task:
        with task.turn() as turn:
            turn.inference(model="m", input_tokens=1, output_tokens=1)
        task.succeed()
    assert transport.stats().lost == 3
    transport.close(0)


def test_files_that_cannot_be_opened_for_a_while_cost_nothing_that_was_recorded(tmp_path, monkeypatch, caplog):
    """As where a process has too many files open: what cannot be looked at is not taken for delivered."""
    dead = spool(tmp_path)
    record(dead, "old")
    abandon(dead)
    with receiving() as receiver:
        transport = spool(tmp_path, receiver.address, adopt_every=0.05)
        receiver.always = answering(503)
        record(transport, "a")
        assert wait_for(lambda: len(transport._outbox._readers) == 2)

        def too_many(*_):
            raise OSError(errno.EMFILE, "Too many open files")

        with monkeypatch.context() as patched:
            patched.setattr("taximeter.spool.reader.os.open", too_many)
            patched.setattr("taximeter.spool.log.os.listdir", too_many)
            receiver.always = None
            time.sleep(0.3)
            record(transport, "b")
        assert transport.flush(60)
        assert wait_for(lambda: "old" in receiver.ids())
        assert {"old", "a"} <= set(receiver.ids())
        assert "Too many open files" in caplog.text
        transport.close()


def test_a_disk_that_fails_drops_nothing_that_waits(tmp_path, monkeypatch):
    transport = spool(tmp_path, max_bytes=MIB)
    record(transport, *(f"e{n}" for n in range(50)), size=10_000)
    with monkeypatch.context() as patched:
        patched.setattr("taximeter.spool.writer.os.write", failing(errno.EIO))
        record(transport, "lost")
    record(transport, "after")
    assert transport.stats().lost == 1
    transport.close(0)
    assert left_in(tmp_path / "spool") == [*(f"e{n}" for n in range(50)), "after"]


def failing(number):
    def fail(*_):
        raise OSError(number, os.strerror(number))

    return fail


def test_an_event_beyond_all_measure_is_set_aside_without_its_data(tmp_path):
    transport = spool(tmp_path)
    record(transport, "huge", size=300_000)
    record(transport, "small")
    [entry] = transport.directory.refused()
    assert (entry["event"]["id"], entry["code"]) == ("huge", "event_too_large")
    assert "data" not in entry["event"]
    transport.close(0)
    assert left_in(tmp_path / "spool") == ["small"]


def test_what_is_set_aside_is_bounded_and_each_event_listed_once(tmp_path):
    directory = SpoolDirectory(tmp_path, max_bytes=MIB)
    for n in range(400):
        payload = json.dumps({"source": "s", "id": f"e{n}", "x": "x" * 1000}).encode()
        for _ in range(2):  # as after a kill between setting it aside and noting that
            directory.set_aside(payload, Refusal("field_invalid", "no"))
    directory.write_losses()
    listed = [entry["event"]["id"] for entry in directory.refused()]
    assert len(listed) == len(set(listed))
    assert listed[-1] == "e399"
    assert directory.used_bytes() <= MIB // 8
    assert sum(entry["events"] for entry in directory.losses()) + 2 * len(listed) >= 799


def test_a_full_queue_drops_the_oldest_blocks_or_raises(caplog):
    dropping = QueueTransport(NOWHERE, api_key="k", max_events=3, waits=QUICK)
    record(dropping, *"abcde")
    assert [event["id"] for event in dropping._outbox.events] == ["c", "d", "e"]
    assert dropping.stats().lost == 2
    assert "dropped" in caplog.text
    raising = QueueTransport(NOWHERE, api_key="k", max_events=3, when_full="raise", waits=QUICK)
    with pytest.raises(SpoolFull):
        record(raising, *"abcde")
    blocking = QueueTransport(NOWHERE, api_key="k", max_events=3, when_full="block", block_seconds=0.1, waits=QUICK)
    began = time.monotonic()
    record(blocking, *"abcd")
    assert time.monotonic() - began >= 0.1
    assert blocking.stats().lost == 1
    for transport in (dropping, raising, blocking):
        transport.close(0)


def test_a_spool_that_turns_out_to_be_another_does_not_stop_the_agent(tmp_path, caplog):
    transport = spool(tmp_path)
    (tmp_path / "spool" / "FORMAT").write_text("something else\n")
    record(transport, "a")
    assert transport.stats().lost == 1
    assert "something else" in caplog.text
    transport.close(0)


def test_what_is_no_event_at_all_does_not_stop_the_sending():
    with receiving() as receiver:
        transport = QueueTransport(receiver.address, api_key="k", waits=QUICK)
        transport([{"id": "a", "data": object()}])
        record(transport, "b")
        transport([{"id": "c", "data": 10**5000}])
        assert transport.flush(60)
        assert receiver.ids() == ["b"]
        assert [refusal.code for _, refusal in transport.refused()] == ["event_invalid"] * 2
        transport.close()


def test_a_number_that_no_server_takes_is_a_mistake_of_the_caller():
    with pytest.raises(ValueError, match="240 digits"):
        Meter(source="desk", transport=list).record("t", "acme", {"n": 10**300})
