"""Whose turn it is in front of the engine."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import pytest

from inference.engine.admission import Admission, EngineBusy, QueueTimeout


def never() -> bool:
    return False


class Runner:
    """Requests in threads; `served` is the order in which they had their turns."""

    def __init__(self, line: Admission) -> None:
        self.line = line
        self.served: list[str] = []
        self.refused: list[tuple[str, Exception]] = []
        self.threads: list[threading.Thread] = []
        self.gate = threading.Event()

    def join_line(self, customer: str, *, seconds: float = 1.0, alone: Callable[[], bool] = never) -> None:
        """Stands in line before the next one does; its turn takes as long as the gate is shut."""

        def work() -> None:
            try:
                with self.line.turn(customer, alone=alone, gone=never) as ticket:
                    self.served.append(customer)
                    self.line.begun(ticket)
                    self.gate.wait(10)
                    self.line.settle(ticket, seconds)
            except (EngineBusy, QueueTimeout) as error:
                self.refused.append((customer, error))

        before = len(self.line), len(self.refused)  # a newcomer to a full line pushes another out
        thread = threading.Thread(target=work)
        thread.start()
        self.threads.append(thread)
        deadline = time.monotonic() + 20
        while (len(self.line), len(self.refused)) == before and thread.is_alive() and time.monotonic() < deadline:
            time.sleep(0.002)

    def finish(self) -> None:
        self.gate.set()
        for thread in self.threads:
            thread.join(10)


@pytest.fixture
def line() -> Admission:
    return Admission(slots=1, limit=64, longest_wait=10)


def test_customers_take_turns_however_many_requests_one_sends(line):
    runner = Runner(line)
    for _ in range(6):
        runner.join_line("greedy")
    for _ in range(2):
        runner.join_line("modest")
    runner.finish()
    assert runner.served[:5] == ["greedy", "modest", "greedy", "modest", "greedy"]


def test_an_organization_with_many_customers_has_the_share_of_one(line):
    runner = Runner(line)
    for number in range(6):
        runner.join_line(f"1/customer-{number}")
    for _ in range(3):
        runner.join_line("2/only")
    runner.finish()
    organizations = [customer.partition("/")[0] for customer in runner.served]
    assert organizations == ["1", "2", "1", "2", "1", "2", "1", "1", "1"]
    assert len(set(runner.served)) == 7


def test_customers_of_one_organization_take_turns_beside_another(line):
    runner = Runner(line)
    for customer in ("1/greedy", "1/greedy", "1/greedy", "1/modest", "2/only", "2/only"):
        runner.join_line(customer)
    runner.finish()
    of_the_first = [customer for customer in runner.served if customer.startswith("1/")]
    assert of_the_first[:2] == ["1/greedy", "1/modest"]
    assert runner.served.index("2/only") == 1


def test_a_full_line_pushes_out_a_request_of_the_organization_that_has_most():
    runner = Runner(Admission(slots=1, limit=4, longest_wait=10))
    for number in range(5):
        runner.join_line(f"1/customer-{number}")
    runner.join_line("1/another")
    runner.join_line("2/only")
    runner.finish()
    assert [customer.partition("/")[0] for customer, _ in runner.refused] == ["1", "1"]
    assert runner.served.count("2/only") == 1


def test_turns_are_measured_in_seconds_not_in_requests(line):
    runner = Runner(line)
    for _ in range(3):
        runner.join_line("long", seconds=4.0)
    for _ in range(6):
        runner.join_line("short", seconds=1.0)
    runner.finish()
    assert runner.served[:6].count("short") >= 4


def test_a_newcomer_does_not_make_up_for_the_time_it_was_away(line):
    runner = Runner(line)
    with line.turn("here", alone=never, gone=never) as ticket:
        line.begun(ticket)
        runner.join_line("here")
        line.settle(ticket, 100.0)
    for customer in ("here", "new", "new", "new"):
        runner.join_line(customer)
    runner.finish()
    assert runner.served == ["here", "new", "here", "new", "new"]


def test_a_full_line_pushes_out_the_last_of_who_has_most(line):
    line = Admission(slots=1, limit=4, longest_wait=10)
    runner = Runner(line)
    for _ in range(5):
        runner.join_line("greedy")
    runner.join_line("greedy")
    runner.join_line("modest")
    runner.finish()
    assert [customer for customer, _ in runner.refused] == ["greedy", "greedy"]
    assert all(isinstance(error, EngineBusy) and 1 <= error.retry_after <= 60 for _, error in runner.refused)
    assert runner.served.count("modest") == 1


def test_who_waits_too_long_is_told_so():
    runner = Runner(Admission(slots=1, limit=4, longest_wait=0.3))
    runner.join_line("first")
    runner.join_line("second")
    runner.threads[1].join(5)
    runner.finish()
    assert [(customer, type(error)) for customer, error in runner.refused] == [("second", QueueTimeout)]


def test_as_many_work_at_once_as_there_are_slots():
    line = Admission(slots=3, limit=10, longest_wait=10)
    runner = Runner(line)
    for _ in range(5):
        runner.join_line("any")
    assert (line.running, line.waiting) == (3, 2)
    runner.finish()
    assert len(runner.served) == 5


def test_who_must_begin_alone_waits_for_the_others_and_they_for_it():
    line = Admission(slots=2, limit=10, longest_wait=10)
    runner = Runner(line)
    runner.join_line("a")
    runner.join_line("loads", alone=lambda: True)
    runner.join_line("b")
    assert (line.running, line.waiting) == (1, 2)
    runner.finish()
    assert runner.served == ["a", "loads", "b"]
