"""Which task running code belongs to: in threads, in asyncio, in other processes; and what ends a task."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
from taximeter import (
    InMemoryTransport,
    Meter,
    OutcomeError,
    PropagationError,
    carry,
    clocks,
    current_task,
    current_turn,
)


@pytest.fixture
def memory():
    return InMemoryTransport()


@pytest.fixture
def meter(memory):
    return Meter(source="desk", transport=memory, sdk=None)


def ids(memory):
    return [event["id"] for event in memory.events]


def test_the_current_task_and_turn_are_those_of_the_block(meter):
    assert current_task() is None
    with meter.task("t", customer="acme", agent="a") as task:
        assert current_task() is task
        assert current_turn() is None
        with task.turn() as turn:
            assert current_turn() is turn
        assert current_turn() is None
        task.succeed()
    assert current_task() is None


def test_a_task_within_a_task_names_its_parent_and_hides_the_outer_turn(meter, memory):
    with meter.task("t", customer="acme", agent="a", task_id="outer") as outer, outer.turn() as turn:
        with meter.task("s", customer="acme", agent="b", task_id="inner") as inner:
            assert current_turn() is None
            inner.succeed()
        assert current_turn() is turn
        outer.succeed()
    inner_end, *_, outer_end = memory.events
    assert inner_end["data"]["parent_id"] == "outer"
    assert "parent_id" not in outer_end["data"]


def test_threads_belong_to_the_task_that_they_are_carried_from(meter, memory):
    def look_up(word):
        current_turn().tool_call("search", duration_ms=len(word))
        return current_task().task_id

    with meter.task("t", customer="acme", agent="a", task_id="x") as task:
        with task.turn(), ThreadPoolExecutor(4) as executor:
            assert list(executor.map(carry(look_up), ["a", "bb", "ccc", "dddd"])) == ["x"] * 4
        with ThreadPoolExecutor(1) as executor:
            assert executor.submit(current_task).result() is None
        task.succeed()
    assert {*ids(memory)} == {*(f"x/turn-1/tool-call-{n}" for n in range(1, 5)), "x/turn-1", "x/task"}


def test_threads_of_one_task_number_its_turns_without_gaps_or_repeats(meter, memory):
    with meter.task("t", customer="acme", agent="a", task_id="x") as task:

        def take_turns():
            for _ in range(50):
                with task.turn() as turn:
                    turn.decision("route", choice="a")

        threads = [threading.Thread(target=take_turns) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        task.succeed()
    assert {event["id"] for event in memory.of_type("agent.turn")} == {f"x/turn-{n}" for n in range(1, 201)}
    assert memory.of_type("agent.task")[0]["data"]["turns"] == 200
    assert memory.of_type("agent.task")[0]["data"]["decisions"] == 200


def test_asyncio_tasks_each_have_their_own_current_task(meter, memory):
    async def work(name):
        async with meter.task("t", customer="acme", agent="a", task_id=name) as task:
            for _ in range(3):
                async with task.turn() as turn:
                    await asyncio.sleep(0.001)
                    assert current_task() is task
                    assert current_turn() is turn
                    turn.decision("route", choice="a")
            task.succeed()

    async def main():
        await asyncio.gather(*(work(f"task{n}") for n in range(20)))

    asyncio.run(main())
    assert memory.outcomes() == {f"task{n}": "succeeded" for n in range(20)}
    assert all(len(memory.of_task(f"task{n}")) == 7 for n in range(20))


def test_a_cancelled_asyncio_task_is_cancelled_and_raised_on(meter, memory):
    async def main():
        async def work():
            async with meter.task("t", customer="acme", agent="a", task_id="x") as task, task.turn() as turn:
                turn.inference(model="m", input_tokens=1, output_tokens=1)
                await asyncio.sleep(60)

        running = asyncio.create_task(work())
        await asyncio.sleep(0.01)
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running

    asyncio.run(main())
    assert memory.outcomes() == {"x": "cancelled"}
    assert len(memory.of_type("agent.turn")) == 1


def test_a_generator_nobody_reads_on_is_cancelled(meter, memory):
    def answers():
        with meter.task("t", customer="acme", agent="a", task_id="x") as task:
            yield "one"
            yield "two"
            task.succeed()

    stream = answers()
    assert next(stream) == "one"
    stream.close()
    assert memory.outcomes() == {"x": "cancelled"}


@pytest.mark.parametrize("stop", [KeyboardInterrupt, SystemExit])
def test_what_stops_the_process_says_nothing_of_the_task(meter, memory, stop):
    with pytest.raises(stop), meter.task("t", customer="acme", agent="a"):
        raise stop
    assert memory.events == []


def test_where_events_leave_one_by_one_an_interrupt_leaves_the_turns_and_no_outcome():
    sent = []

    def transport(events):
        sent.extend(events)

    transport.holds_tasks = False
    meter = Meter(source="desk", transport=transport)

    def work():
        with meter.task("t", customer="acme", agent="a", task_id="x") as task:
            with task.turn() as turn:
                turn.decision("route", choice="a")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        work()
    assert [event["id"] for event in sent] == ["x/turn-1/decision-1", "x/turn-1"]
    with meter.task("t", customer="acme", agent="a", task_id="x", attempt=2) as again:
        with again.turn():
            pass
        again.succeed()
    assert [event["id"] for event in sent][2:] == ["x/attempt-2/turn-1", "x/task"]


def test_nothing_can_be_recorded_after_the_end(meter):
    with meter.task("t", customer="acme", agent="a") as task:
        with task.turn() as turn:
            pass
        task.succeed()
    with pytest.raises(OutcomeError, match="has ended"):
        turn.tool_call("late")
    with pytest.raises(OutcomeError, match="has ended"):
        task.turn()
    with pytest.raises(OutcomeError, match="already succeeded"):
        task.fail()


def test_a_mistake_may_be_logged_and_not_raised(memory, caplog):
    meter = Meter(source="desk", transport=memory, on_misuse="log")
    with meter.task("t", customer="acme", agent="", task_id="x") as task:
        with task.turn() as turn:
            turn.inference(model="m", input_tokens=-1, output_tokens=1)
            turn.inference(model="m", input_tokens=1, output_tokens=1, cost=0.1, cost_currency="USD")
            turn.decision("route", choice="a", probability=float("nan"))
            turn.tool_call("search", filter=object())
        task.succeed()
        task.fail()
        task.turn()
    turn.tool_call("late")
    assert ids(memory) == ["x/turn-1", "x/task"]
    assert memory.outcomes() == {"x": "succeeded"}
    for problem in ("names no agent", "cannot be negative", "is no exact number", "is no measurement", "has ended"):
        assert problem in caplog.text


def test_tokens_and_seconds_say_what_came_of_it_even_in_other_words(meter, memory):
    for name in ("succeed", "fail", "escalate", "cancel", "time_out", "block"):
        with meter.task("t", customer="acme", agent="a", task_id=name) as task:
            getattr(task, name)()
    assert memory.outcomes() == {
        "succeed": "succeeded",
        "fail": "failed",
        "escalate": "escalated",
        "cancel": "cancelled",
        "time_out": "timed_out",
        "block": "blocked",
    }


def test_a_clock_that_is_set_changes_no_duration(memory, monkeypatch):
    now = [datetime(2026, 10, 3, 9, tzinfo=UTC)]
    monkeypatch.setattr(clocks, "datetime", type("Clock", (), {"now": staticmethod(lambda zone: now[0])}))
    meter = Meter(source="desk", transport=memory)
    with meter.task("t", customer="acme", agent="a") as task:
        now[0] -= timedelta(days=400)
        with task.turn():
            now[0] += timedelta(days=9000)
        task.succeed()
    turn, end = memory.events
    assert turn["data"]["duration_ms"] < 1000
    assert end["data"]["duration_ms"] < 1000


def test_another_process_takes_part_and_this_one_ends_the_task(meter, memory):
    there_memory = InMemoryTransport()
    there = Meter(source="worker", transport=there_memory, sdk=None)
    with meter.task("t", customer="acme|ä", agent="support@3", task_id="x", attempt=2) as task:
        headers = task.inject({"baggage": "other=1", "accept": "json"})
        with there.continue_task(headers) as share:
            with share.turn() as turn:
                turn.decision("route", choice="a")
            with pytest.raises(OutcomeError, match="ended by the process that began it"):
                share.succeed()
        with task.turn():
            pass
        task.succeed()
    assert headers["baggage"].startswith("other=1,")
    assert headers["accept"] == "json"
    assert ids(there_memory) == ["x/attempt-2/part-1/turn-1/decision-1", "x/attempt-2/part-1/turn-1"]
    data = there_memory.events[0]["data"]
    assert (data["task_id"], data["agent"], data["agent_version"], data["attempt"]) == ("x", "support", "3", 2)
    assert there_memory.events[0]["subject"] == "acme|ä"
    assert data["trace_id"] == headers["traceparent"].split("-")[1]
    assert ids(memory) == ["x/attempt-2/turn-1", "x/task"]


def test_a_task_that_is_handed_over_is_ended_there(meter, memory):
    there_memory = InMemoryTransport()
    there = Meter(source="worker", transport=there_memory, sdk=None)
    with meter.task("t", customer="acme", agent="a", task_id="x") as task:
        with task.turn():
            pass
        headers = task.hand_over()
    assert ids(memory) == ["x/turn-1"]
    with there.continue_task(headers) as task:
        with task.turn():
            pass
        task.succeed()
    assert ids(there_memory) == ["x/part-1/turn-1", "x/task"]
    end = there_memory.events[-1]["data"]
    assert (end["goal"], end["outcome"], end["turns"]) == ("t", "succeeded", 2)


def test_a_message_delivered_twice_gives_the_same_ids_and_another_attempt_others(meter, memory):
    with meter.task("t", customer="acme", agent="a", task_id="x") as task:
        headers, other = task.inject(), task.inject()
        for attempt in (1, 1, 2):
            with meter.continue_task(headers, attempt=attempt) as share, share.turn():
                pass
        with meter.continue_task(other) as share, share.turn():
            pass
    assert ids(memory)[:4] == ["x/part-1/turn-1", "x/part-1/turn-1", "x/part-1/attempt-2/turn-1", "x/part-2/turn-1"]


def test_the_traceparent_is_valid_and_names_one_trace_a_task(meter):
    with meter.task("t", customer="acme", agent="a", task_id="x") as task:
        first, second = task.inject()["traceparent"].split("-"), task.inject()["traceparent"].split("-")
    assert first[0] == "00"
    assert (len(first[1]), len(first[2]), first[3]) == (32, 16, "01")
    assert first[1] == second[1]
    assert first[2] != second[2]
    with meter.task("t", customer="acme", agent="a", trace_id="ab" * 16) as traced:
        assert traced.inject()["traceparent"].split("-")[1] == "ab" * 16


@pytest.mark.parametrize("headers", [{}, {"baggage": "a=b"}, {"baggage": "taximeter.task=x"}, {"baggage": "\x00,=,;"}])
def test_headers_without_a_task_are_an_error(meter, headers):
    with pytest.raises(PropagationError, match="no task"):
        meter.continue_task(headers)


def test_functions_can_be_tasks(meter, memory):
    @meter.traced_task("greet", agent="a@1", customer=lambda name, **_: name, task_id=lambda name, **_: f"greet-{name}")
    def greet(name, *, well):
        current_task().succeed() if well else None
        return f"hello {name}"

    @meter.traced_task(
        "count", agent="a", customer="acme", task_id="c", outcome=lambda n: "succeeded" if n else "failed"
    )
    async def count(n):
        with current_task().turn():
            return n

    assert greet("ann", well=True) == "hello ann"
    assert greet("bob", well=False) == "hello bob"
    assert asyncio.run(count(3)) == 3
    assert memory.outcomes() == {"greet-ann": "succeeded", "greet-bob": "failed", "c": "succeeded"}
    assert greet.__name__ == "greet"

    @meter.traced_task("break", agent="a", customer="acme", task_id="b", outcome="succeeded")
    def break_():
        raise OSError("no")

    with pytest.raises(OSError, match="no"):
        break_()
    assert memory.outcomes()["b"] == "failed"


def test_what_was_said_is_left_out_unless_it_is_asked_for(meter, memory):
    def work(meter):
        with meter.task("t", customer="acme", agent="a", prompt="secret") as task:
            with task.turn() as turn:
                turn.inference(model="m", input_tokens=1, output_tokens=1, prompt="secret", messages=["secret"])
                turn.tool_call("search", query="secret", result="secret", arguments={"q": "secret"})
                turn.decision("route", choice="a", thought="secret", region="eu")
            task.succeed()

    work(meter)
    assert "secret" not in str(memory.events)
    assert memory.of_type("agent.decision")[0]["data"]["region"] == "eu"
    memory.clear()
    work(Meter(source="desk", transport=memory, records_content=True))
    assert str(memory.events).count("secret") >= 5


def test_a_turn_without_a_block_is_ended_by_hand(meter, memory):
    with meter.task("t", customer="acme", agent="a", task_id="x") as task:
        turn = task.turn()
        turn.inference(model="m", input_tokens=1, output_tokens=1)
        turn.end()
        turn.end()
        failed = task.turn()
        failed.end(error=OSError("no answer"))
        task.succeed()
    assert ids(memory) == ["x/turn-1/inference-1", "x/turn-1", "x/task"]


def test_a_task_of_very_many_turns_stays_small_and_knows_its_last_ones():
    sent = []

    def transport(events):
        sent[:] = events

    transport.holds_tasks = False
    with Meter(source="desk", transport=transport).task("t", customer="acme", agent="a", task_id="x") as task:
        for _ in range(3000):
            with task.turn() as turn:
                turn.decision("route", choice="a")
        with task.turn("x/turn-2999") as again:
            again.decision("route", choice="b")
        assert sent[0]["id"] == "x/turn-2999/decision-2"
        assert len(task._places) <= 1000
        task.succeed()
    assert sent[0]["data"]["turns"] == 3000
