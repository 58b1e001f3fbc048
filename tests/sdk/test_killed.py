"""`kill -9` of the recording process at random moments: all that was recorded arrives, once, in order per task.

TAXIMETER_TEST_KILLS says how many times; 200 take about two minutes.
"""

from __future__ import annotations

import os
import random
import time

from tests.sdk.processes import flush, in_order_per_task, noted, start_recorder
from tests.sdk.receiver import (
    Receiver,
    answering,
    receiving,
    slowly,
    storing_and_answering_half,
    storing_then_resetting,
    wait_for,
)

KILLS = int(os.environ.get("TAXIMETER_TEST_KILLS", "40"))
SEED = int(os.environ.get("TAXIMETER_TEST_SEED", "20261124"))


def test_what_was_recorded_before_a_kill_arrives_exactly_once(tmp_path):
    draw = random.Random(SEED)
    troubles = [
        answering(500),
        answering(429, Retry_After="0"),
        slowly(0.1),
        storing_and_answering_half,
        storing_then_resetting,
    ]
    spool, notes = tmp_path / "spool", []
    with receiving() as receiver:
        receiver.keeps_batches = False
        for kill in range(KILLS):
            receiver.script = draw.choices(troubles, k=draw.randrange(4))
            notes.append(tmp_path / f"notes-{kill}")
            small = {"SEGMENT_BYTES": "5000"} if kill % 2 else {}  # many segments begin and end
            victim = start_recorder(receiver.address, spool, notes[-1], f"k{kill}", **small)
            assert wait_for(lambda: bool(noted(notes[-1])), seconds=20)
            time.sleep(draw.uniform(0, 0.25))
            victim.kill()
            victim.wait()
        finish(receiver, spool)
        assert_exactly_once(receiver, notes)


def test_two_processes_on_one_spool_are_killed_and_lose_nothing(tmp_path):
    draw = random.Random(SEED + 1)
    spool, notes = tmp_path / "spool", []
    with receiving() as receiver:
        receiver.keeps_batches = False
        for kill in range(max(2, KILLS // 8)):
            pair = [tmp_path / f"notes-{kill}-{side}" for side in "ab"]
            notes += pair
            victims = [start_recorder(receiver.address, spool, file, f"p{kill}{file.name[-1]}") for file in pair]
            assert all(wait_for(lambda file=file: bool(noted(file)), seconds=20) for file in pair)
            for victim in victims:
                time.sleep(draw.uniform(0, 0.3))
                victim.kill()
                victim.wait()
        finish(receiver, spool)
        assert_exactly_once(receiver, notes)


def finish(receiver: Receiver, spool) -> None:
    """Somebody comes and sends what the dead have left."""
    receiver.script = []
    flush(receiver.address, spool)


def assert_exactly_once(receiver: Receiver, notes) -> None:
    """The receiver keeps an identity once and refuses other content under it, so nothing may have been refused."""
    arrived = receiver.ids()
    recorded = noted(*notes)
    assert len(recorded) == len(set(recorded)) > 100
    missing = set(recorded) - set(arrived)
    assert not missing, sorted(missing)[:10]
    # Beyond what was noted there is, for each kill, at most the event whose call had not returned.
    assert len(arrived) - len(recorded) <= len(notes)
    assert in_order_per_task(arrived)
