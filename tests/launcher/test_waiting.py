"""Waiting for what gets on with its work, and for nothing else."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from launcher import process
from launcher.errors import LauncherError
from launcher.waiting import PATIENCE, Wait


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@contextmanager
def running(script: str) -> Iterator[int]:
    """A program and its children, all of which are killed afterwards."""
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, start_new_session=True) as child:
        assert child.stdout is not None
        child.stdout.readline()
        try:
            yield child.pid
        finally:
            os.killpg(child.pid, signal.SIGKILL)


def made(pid: int, logs: Path, told: list[str]) -> tuple[Wait, Clock]:
    clock = Clock()
    return Wait(pids=lambda: {"web": pid}, logs=logs, tell=told.append, clock=clock), clock


def test_a_program_whose_child_works_is_waited_for_however_long(tmp_path: Path) -> None:
    child = "print(flush=True)\\nwhile True: pass"
    script = f"import subprocess, sys; subprocess.run([sys.executable, '-c', '{child}'])"
    told: list[str] = []
    with running(script) as pid:
        wait, clock = made(pid, tmp_path, told)
        for _ in range(5):
            wait.note({"web": "the web server to answer"})
            noted = process.ticks(process.family(pid))  # at least as many as the note has seen
            assert process.wait_until(lambda then=noted: process.ticks(process.family(pid)) != then, seconds=60)
            clock.now += PATIENCE + 1
    assert told[0] == "Still waiting for the web server to answer (181 s)"


def test_a_program_that_logs_is_waited_for_and_one_that_does_nothing_is_not(tmp_path: Path) -> None:
    log = tmp_path / "web.log"
    with running("import time; print(flush=True); time.sleep(600)") as pid:
        wait, clock = made(pid, tmp_path, [])
        for number in range(3):
            log.write_text("still at it\n" * number)
            wait.note({"web": "the web server to answer"})
            clock.now += PATIENCE + 1
        with pytest.raises(LauncherError) as stuck:
            wait.note({"web": "the web server to answer"})
    assert "Waiting for the web server to answer, and nothing has happened for 180 s" in str(stuck.value)
    assert "still at it" in str(stuck.value)


def test_an_answer_that_stays_the_same_is_not_waited_for_for_ever(tmp_path: Path) -> None:
    wait, clock = made(0, tmp_path, [])
    wait.note({"answer of the web server": "answers 503: database"})
    clock.now += PATIENCE + 1
    wait.note({"answer of the web server": "answers 503: broker"})
    clock.now += PATIENCE + 1
    with pytest.raises(LauncherError, match="answers 503: broker"):
        wait.note({"answer of the web server": "answers 503: broker"})
