"""The spool's files: what is in them, and what survives."""

from __future__ import annotations

import json
import os
import random
from zlib import crc32

import pytest
from hypothesis import given
from hypothesis import strategies as st
from taximeter import SpoolError, SpoolTransport
from taximeter.spool.directory import SpoolDirectory
from taximeter.spool.log import Log
from taximeter.spool.outbox import SpoolOutbox
from taximeter.spool.reader import LogReader
from taximeter.spool.records import read_records, record_of

from tests.sdk.receiver import answering, receiving, wait_for
from tests.sdk.spools import MIB, NOWHERE, abandon, left_in, record, spool


def test_a_record_is_a_line_with_a_mark_and_its_checksum():
    assert record_of(b'{"id":"a"}') == b"\x1e%08x" % crc32(b'{"id":"a"}') + b' {"id":"a"}\n'


def test_an_event_is_in_the_file_before_the_call_returns(tmp_path):
    transport = spool(tmp_path)
    record(transport, "a")
    [file] = (tmp_path / "spool").glob("*/*.log")
    assert file.read_bytes().startswith(b"\x1e")
    assert b'"id":"a"' in file.read_bytes()
    transport.close(0)


@given(st.lists(st.binary(max_size=40), max_size=8), st.integers(0, 400), st.data())
def test_what_is_torn_anywhere_takes_no_whole_record_along(contents, cut, data):
    whole = [record_of(json.dumps(content.hex()).encode()) for content in contents]
    victim = record_of(b'"' + b"v" * 30 + b'"')
    torn = victim[: min(cut, len(victim) - 1)]
    place = data.draw(st.integers(0, len(whole)))
    log = b"".join([*whole[:place], torn, *whole[place:]])
    found = read_records(log, limit=1000)
    assert found.payloads == [json.dumps(content.hex()).encode() for content in contents]
    assert found.ends[-1:] == [len(log)] * bool(whole[place:]) or not whole[place:]


@given(st.binary(max_size=300))
def test_no_garbage_is_taken_for_a_record_or_stops_the_reading(garbage):
    found = read_records(garbage + b"\n" + record_of(b'"good"'), limit=10)
    assert found.payloads[-1] == b'"good"'


def test_a_byte_that_changed_on_the_disk_is_noticed_and_costs_one_event(tmp_path):
    transport = spool(tmp_path)
    record(transport, "a", "b", "c")
    abandon(transport)
    [file] = (tmp_path / "spool").glob("*/*.log")
    file.write_bytes(file.read_bytes().replace(b'"id":"b"', b'"id":"X"'))
    with receiving() as receiver:
        again = spool(tmp_path, receiver.address, adopt_every=0.05)
        record(again, "d")
        assert wait_for(lambda: len(receiver.ids()) == 3)
        assert sorted(receiver.ids()) == ["a", "c", "d"]
        assert wait_for(lambda: again.stats().torn == 1)
        again.close()


def test_a_piece_of_zeros_as_a_power_failure_leaves_is_skipped(tmp_path):
    transport = spool(tmp_path)
    record(transport, "a")
    abandon(transport)
    [file] = (tmp_path / "spool").glob("*/*.log")
    file.write_bytes(file.read_bytes() + bytes(5 * MIB) + record_of(b'{"source":"desk","id":"b"}'))
    assert left_in(tmp_path / "spool") == ["a", "b"]


def test_segments_follow_one_another_and_go_when_they_are_delivered(tmp_path):
    with receiving() as receiver:
        transport = spool(tmp_path, receiver.address, max_bytes=MIB, when_full="block")
        names = [f"e{n}" for n in range(300)]
        record(transport, *names, size=10_000)
        assert transport.flush(60)
        assert receiver.ids() == names
        assert transport.stats().lost == 0
        assert wait_for(lambda: transport.directory.used_bytes() < 100_000)
        transport.close()
    assert list((tmp_path / "spool").glob("*/")) == []


def test_a_log_that_nobody_holds_is_sent_by_the_next_process_from_where_it_stopped(tmp_path):
    with receiving() as receiver:
        first = spool(tmp_path, receiver.address)
        record(first, "a", "b")
        assert first.flush(60)
        receiver.always = answering(503)
        record(first, "c", "d")
        abandon(first)
        receiver.always = None
        receiver.batches.clear()
        second = spool(tmp_path, receiver.address, adopt_every=0.05)
        record(second, "e")
        assert wait_for(lambda: len(receiver.ids()) == 5)
        assert sorted(event["id"] for batch in receiver.batches for event in batch) == ["c", "d", "e"]
        second.close()


def test_a_lost_note_of_what_was_sent_costs_duplicates_and_no_event(tmp_path):
    transport = spool(tmp_path)
    record(transport, "a", "b")
    abandon(transport)
    [log] = (tmp_path / "spool").glob("*/")
    (log / "sent").write_bytes(b"half a no")
    assert left_in(tmp_path / "spool") == ["a", "b"]


def test_the_log_of_a_process_that_lives_is_left_alone(tmp_path):
    transport = spool(tmp_path)
    record(transport, "a")
    assert left_in(tmp_path / "spool") == []
    transport.close(0)
    assert left_in(tmp_path / "spool") == ["a"]


def test_events_that_were_not_delivered_stay_when_the_transport_is_closed(tmp_path):
    transport = spool(tmp_path)
    record(transport, "a")
    assert not transport.close(0.1)
    with receiving() as receiver:
        again = spool(tmp_path, receiver.address, adopt_every=0.05)
        record(again, "b")
        assert wait_for(lambda: sorted(receiver.ids()) == ["a", "b"])
        again.close()


def test_recording_after_closing_begins_a_new_log(tmp_path):
    with receiving() as receiver:
        transport = spool(tmp_path, receiver.address)
        record(transport, "a")
        assert transport.close(5)
        record(transport, "b")
        assert transport.close(5)
        assert receiver.ids() == ["a", "b"]


def test_files_closed_by_somebody_else_begin_a_new_log(tmp_path):
    transport = spool(tmp_path)
    record(transport, "a")
    os.close(transport._outbox._writer._file)
    record(transport, "b")
    transport.close(0)
    assert left_in(tmp_path / "spool") == ["a", "b"]


def test_a_directory_that_cannot_be_used_is_told_at_once(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(SpoolError, match="cannot be used"):
        SpoolTransport(NOWHERE, api_key="k", directory=tmp_path / "file" / "spool")
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "FORMAT").write_text("something else\n")
    with pytest.raises(SpoolError, match="something else"):
        SpoolTransport(NOWHERE, api_key="k", directory=tmp_path / "other")


def test_a_spool_that_is_deleted_while_it_is_used_is_begun_anew(tmp_path, caplog):
    with receiving() as receiver:
        receiver.always = answering(503)
        transport = spool(tmp_path, receiver.address)
        record(transport, "a")
        for path in [*(tmp_path / "spool").glob("*/*"), *(tmp_path / "spool").glob("*.*")]:
            path.unlink()
        assert wait_for(lambda: "deleted" in caplog.text, seconds=5)
        receiver.always = None
        record(transport, "b")
        assert transport.flush(60)
        assert "b" in receiver.ids()
        transport.close()


def test_a_signal_in_the_middle_of_a_write_may_record_too(tmp_path, monkeypatch):
    transport = spool(tmp_path)
    write = os.write

    def interrupted(descriptor, data):
        monkeypatch.setattr("taximeter.spool.writer.os.write", write)
        record(transport, "inner")
        return write(descriptor, data)

    record(transport, "first")
    monkeypatch.setattr("taximeter.spool.writer.os.write", interrupted)
    record(transport, "outer")
    transport.close(0)
    assert left_in(tmp_path / "spool") == ["first", "outer", "inner"]


def test_with_syncs_every_event_is_synced(tmp_path, monkeypatch):
    synced = []
    monkeypatch.setattr("taximeter.spool.writer.os.fsync", synced.append)
    transport = spool(tmp_path, syncs=True)
    record(transport, "a", "b")
    assert len(synced) == 4  # each event, and before the first the two directories its file is in
    transport.close(0)


def test_reading_and_writing_side_by_side_loses_and_repeats_nothing(tmp_path):
    directory = SpoolDirectory(tmp_path, max_bytes=64 * MIB)
    outbox = SpoolOutbox(directory, max_events=50)
    draw = random.Random(7)
    expected, found = [], []
    for n in range(3000):
        payload = json.dumps({"n": n, "x": "x" * draw.randrange(20_000)}).encode()
        outbox.put([payload])
        expected.append(payload)
        if draw.random() < 0.3 and (batch := outbox.next_batch()):
            part = batch.part(0, draw.randint(1, len(batch)))
            found += part.payloads
            outbox.advance(part)
    while batch := outbox.next_batch():
        found += batch.payloads
        outbox.advance(batch)
    assert found == expected
    outbox.close()


def test_two_that_want_a_dead_log_do_not_both_get_it(tmp_path):
    transport = spool(tmp_path)
    record(transport, "a")
    abandon(transport)
    [path] = (tmp_path / "spool").glob("*/")
    first = Log.lock_existing(path)
    assert first is not None
    assert Log.lock_existing(path) is None
    assert LogReader(first).next_batch(max_events=10) is not None
    first.remove()
    assert Log.lock_existing(path) is None
