"""The command `taximeter`, as it is typed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time

import pytest
from taximeter import Meter, SpoolTransport
from taximeter.cli import main
from taximeter.delivery.sender import Waits

from tests.sdk.processes import ENVIRONMENT, ROOT
from tests.sdk.receiver import answering, receiving, wait_for


@pytest.fixture
def receiver():
    with receiving() as server:
        yield server


@pytest.fixture
def at(tmp_path, monkeypatch, receiver):
    """The directory of the spool that the environment names, with a server and a key."""
    monkeypatch.setenv("TAXIMETER_URL", receiver.address)
    monkeypatch.setenv("TAXIMETER_API_KEY", "k")
    monkeypatch.setenv("TAXIMETER_SPOOL", str(tmp_path / "spool"))
    return tmp_path / "spool"


def leave_events(directory, *ids, **data):
    """Events of a process that is gone."""
    transport = SpoolTransport("http://127.0.0.1:1", api_key="k", directory=directory, waits=Waits(first=9, longest=9))
    for id in ids:
        Meter(source="desk", transport=transport).record("t", "acme", data, id=id)
    transport.close(0)


def test_record_stores_an_event_and_says_so(at, receiver, capsys):
    assert main(["record", "storage.written", "--customer", "acme", "--id", "o1", "bytes=4096", "region=eu"]) == 0
    assert capsys.readouterr().out == "o1 is stored\n"
    [event] = receiver.stored.values()
    assert (event["type"], event["subject"], event["source"]) == ("storage.written", "acme", "taximeter-cli")
    assert event["data"]["bytes"] == 4096
    assert event["data"]["region"] == "eu"


def test_record_keeps_the_event_where_the_server_is_down(at, receiver, capsys):
    receiver.always = answering(401, {"code": "api_key_invalid"})
    assert main(["record", "t", "--id", "o1", "--timeout", "0.3"]) == 0
    assert "o1 waits in" in (told := capsys.readouterr().out)
    assert "api_key_invalid" in told
    receiver.always = None
    assert main(["flush"]) == 0
    assert capsys.readouterr().out == "1 event sent\n"
    assert receiver.ids() == ["o1"]


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["record", "t", "--data", "{"], "--data is no JSON"),
        (["record", "t", "--data", "[1]"], "must be a JSON object"),
        (["record", "t", "bytes"], "'bytes' is no NAME=VALUE"),
        (["record", "t", "--time", "noon"], "is no time such as"),
        (["record", "t", "--url", "example.com"], "is no http:// or https:// address"),
        (["spool", "--spool", "/nonexistent/spool"], "is no spool"),
    ],
)
def test_what_makes_no_sense_is_answered_in_one_line(at, capsys, arguments, complaint):
    assert main(arguments) == 1
    told = capsys.readouterr()
    assert complaint in told.err
    assert len(told.err.splitlines()) == 1
    assert told.out == ""


def test_without_a_server_or_key_it_says_what_to_set(at, capsys, monkeypatch):
    monkeypatch.delenv("TAXIMETER_URL")
    assert main(["record", "t"]) == 1
    assert "TAXIMETER_URL" in capsys.readouterr().err
    assert main(["doctor"]) == 1
    assert "FAIL  no server: set TAXIMETER_URL" in capsys.readouterr().out


def test_an_event_that_the_server_refuses_is_an_error(at, receiver, capsys):
    receiver.refuses = lambda event: ("value_not_a_number", "data.bytes must be a number")
    assert main(["record", "t", "bytes=many"]) == 1
    assert "the server refused it: data.bytes must be a number (value_not_a_number)" in capsys.readouterr().err


def test_spool_shows_what_waits_and_flush_sends_it(at, receiver, capsys):
    leave_events(at, "a", "b")
    assert main(["spool"]) == 0
    told = capsys.readouterr().out
    assert f"process {os.getpid()} (gone): 2 events waiting, since 20" in told
    assert "taximeter flush" in told
    assert main(["spool", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["waiting"] == 2
    assert main(["flush"]) == 0
    assert capsys.readouterr().out == "2 events sent\n"
    assert receiver.ids() == ["a", "b"]
    assert main(["spool"]) == 0
    assert "0 events waiting" in capsys.readouterr().out


def test_flush_says_why_not_all_was_sent(at, receiver, capsys):
    leave_events(at, "a")
    receiver.always = answering(402, {"code": "payment_required"})
    assert main(["flush", "--timeout", "0.3"]) == 1
    assert "not all could be sent: the server answered 402" in capsys.readouterr().out


def test_refused_events_are_listed_and_tried_again(at, receiver, capsys):
    receiver.refuses = lambda event: ("value_not_a_number", "no") if event["id"] == "a" else None
    leave_events(at, "a", "b")
    assert main(["flush"]) == 0
    assert "1 event refused, and set aside" in capsys.readouterr().out
    assert main(["spool", "refused"]) == 0
    assert "t a: no (value_not_a_number)" in capsys.readouterr().out
    receiver.refuses = lambda event: None
    assert main(["spool", "retry"]) == 0
    assert main(["flush"]) == 0
    assert sorted(receiver.ids()) == ["a", "b"]
    capsys.readouterr()
    assert main(["spool", "refused"]) == 0
    assert capsys.readouterr().out == "nothing was refused\n"


def test_tail_shows_the_latest_events_and_picks_some(at, capsys):
    leave_events(at, *(f"e{n}" for n in range(20)), agent="support")
    assert main(["tail", "-n", "2"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[3] for line in lines] == ["e18", "e19"]
    assert "agent=support" in lines[0]
    assert main(["tail", "--customer", "nobody"]) == 0
    assert capsys.readouterr().out == ""
    assert main(["tail", "-n", "1", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["id"] == "e19"


def test_tail_follows_what_other_processes_record(at):
    leave_events(at, "old")
    following = subprocess.Popen(
        [sys.executable, "-m", "taximeter", "tail", "-f", "--json", "--spool", str(at)],
        cwd=ROOT,
        env=ENVIRONMENT,
        stdout=subprocess.PIPE,
    )
    try:
        assert json.loads(following.stdout.readline())["id"] == "old"
        transport = SpoolTransport("http://127.0.0.1:1", api_key="k", directory=at)
        Meter(source="desk", transport=transport).record("t", "acme", {}, id="new")
        assert json.loads(following.stdout.readline())["id"] == "new"
        transport.close(0)
    finally:
        following.kill()
        following.wait()
        following.stdout.close()


def test_doctor_finds_all_well(at, receiver, capsys):
    assert main(["record", "t"]) == 0
    capsys.readouterr()
    assert main(["doctor"]) == 0
    told = capsys.readouterr().out
    assert "takes events with this key" in told
    assert "can be written and locked" in told
    assert "0 events waiting" in told
    assert len(receiver.ids()) == 1


@pytest.mark.parametrize(
    ("status", "advice"), [(401, "the key is wrong"), (403, "scope 'ingest'"), (404, "no Taximeter at this address")]
)
def test_doctor_says_what_is_wrong_with_the_server(at, receiver, capsys, status, advice):
    receiver.always = answering(status)
    assert main(["doctor"]) == 1
    assert advice in capsys.readouterr().out


def test_doctor_finds_what_was_refused_lost_or_left(at, receiver, capsys):
    receiver.refuses = lambda event: ("field_invalid", "no")
    leave_events(at, "a")
    assert main(["flush"]) == 0
    leave_events(at, "b")
    (at / "losses.jsonl").write_text('{"at": "2026-10-03T09:00:00Z", "events": 7, "reason": "full"}\n')
    capsys.readouterr()
    assert main(["doctor"]) == 1
    told = capsys.readouterr().out
    assert "1 event refused by the server" in told
    assert "7 events lost" in told
    assert "1 of them were left by processes that are gone" in told


def test_several_spools_are_told_apart(tmp_path, monkeypatch, capsys):
    monkeypatch.delenv("TAXIMETER_SPOOL", raising=False)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    assert main(["spool"]) == 1
    assert "no spool is here yet" in capsys.readouterr().err
    leave_events(tmp_path / "taximeter" / "spool" / "one", "a")
    assert main(["spool"]) == 0
    leave_events(tmp_path / "taximeter" / "spool" / "two", "b")
    assert main(["spool"]) == 1
    assert "say which with --spool" in capsys.readouterr().err


def test_help_and_version_answer_quickly_in_a_fresh_process():
    began = time.monotonic()
    for arguments in (["--version"], ["--help"], ["record", "--help"], []):
        done = subprocess.run(
            [sys.executable, "-m", "taximeter", *arguments], cwd=ROOT, env=ENVIRONMENT, capture_output=True, check=False
        )
        assert done.returncode == (0 if arguments else 2)
    assert time.monotonic() - began < 30


def test_record_and_a_running_process_share_a_spool(at, receiver):
    transport = SpoolTransport(receiver.address, api_key="k", directory=at, waits=Waits(idle=0.01))
    Meter(source="desk", transport=transport).record("t", "acme", {}, id="mine")
    assert main(["record", "t", "--id", "typed"]) == 0
    assert wait_for(lambda: sorted(receiver.ids()) == ["mine", "typed"])
    transport.close()
