"""What a recorded task becomes: the events, their identity, their order and their fields."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from taximeter import InMemoryTransport, Meter, OutcomeError

START = datetime(2026, 10, 3, 9, 0, tzinfo=UTC)


class SteppingClock:
    """Moves on by one second each time it is read."""

    def __init__(self) -> None:
        self.now = START - timedelta(seconds=1)

    def __call__(self) -> datetime:
        self.now += timedelta(seconds=1)
        return self.now


def record_ticket(memory: InMemoryTransport) -> None:
    meter = Meter(source="desk", transport=memory, clock=SteppingClock(), sdk=None)
    with meter.task("resolve-ticket", customer="acme", agent="support@3", task_id="ticket-1") as task:
        with task.turn(initiator="human") as turn:
            turn.inference(model="m", input_tokens=410, output_tokens=58, compute_seconds=Decimal("0.74"))
            chosen = turn.decision("tool", choice="refund", options=["refund", "escalate"], probability=0.9)
            turn.tool_call("refund", decision_id=chosen, duration_ms=12)
        task.succeed()


def record_turn_that_raises(meter: Meter, error: BaseException) -> None:
    with meter.task("t", customer="acme", agent="a") as task, task.turn() as turn:
        turn.inference(model="m", input_tokens=1, output_tokens=1)
        raise error


def test_a_task_becomes_events_in_the_order_they_happened():
    memory = InMemoryTransport()
    record_ticket(memory)
    assert [(event["id"], event["type"], event["time"]) for event in memory.events] == [
        ("ticket-1/turn-1/inference-1", "inference.call", "2026-10-03T09:00:02Z"),
        ("ticket-1/turn-1/decision-1", "agent.decision", "2026-10-03T09:00:03Z"),
        ("ticket-1/turn-1/tool-call-1", "agent.tool_call", "2026-10-03T09:00:04Z"),
        ("ticket-1/turn-1", "agent.turn", "2026-10-03T09:00:05Z"),
        ("ticket-1/task", "agent.task", "2026-10-03T09:00:06Z"),
    ]


def test_the_task_event_says_outcome_and_counts_and_carries_no_tokens():
    memory = InMemoryTransport()
    record_ticket(memory)
    assert memory.of_type("agent.task") == [
        {
            "specversion": "1.0",
            "id": "ticket-1/task",
            "source": "desk",
            "type": "agent.task",
            "time": "2026-10-03T09:00:06Z",
            "subject": "acme",
            "data": {
                "agent": "support",
                "agent_version": "3",
                "task_id": "ticket-1",
                "goal": "resolve-ticket",
                "outcome": "succeeded",
                "outcome_source": "agent",
                "turns": 1,
                "decisions": 1,
                "started_at": "2026-10-03T09:00:00Z",
                "duration_ms": 6000,
            },
        }
    ]


def test_leaves_carry_tokens_and_seconds_and_point_to_their_turn():
    memory = InMemoryTransport()
    record_ticket(memory)
    call, decision, tool_call, turn, _ = (event["data"] for event in memory.events)
    assert call["compute_seconds"] == "0.74"
    assert (call["input_tokens"], call["output_tokens"]) == (410, 58)
    assert {call["turn_id"], decision["turn_id"], tool_call["turn_id"], turn["turn_id"]} == {"ticket-1/turn-1"}
    assert decision["decision_id"] == tool_call["decision_id"] == "ticket-1/turn-1/decision-1"
    assert decision["probability"] == "0.9"
    assert not {"input_tokens", "compute_seconds"} & turn.keys()


def test_recording_the_same_task_again_gives_the_same_events():
    first, second = InMemoryTransport(), InMemoryTransport()
    record_ticket(first)
    record_ticket(second)
    assert first.events == second.events


def test_another_attempt_has_its_own_turns_and_the_same_outcome_event():
    memory = InMemoryTransport()
    meter = Meter(source="desk", transport=memory)
    with meter.task("t", customer="acme", agent="a", task_id="x", attempt=2) as task:
        with task.turn() as turn:
            turn.decision("route", choice="a")
        task.succeed()
    assert [event["id"] for event in memory.events] == ["x/attempt-2/turn-1/decision-1", "x/attempt-2/turn-1", "x/task"]
    assert {event["data"]["attempt"] for event in memory.events} == {2}


def test_a_task_without_a_name_gets_a_random_one_for_all_its_events():
    memory = InMemoryTransport()
    meter = Meter(source="desk", transport=memory)
    for _ in range(2):
        with meter.task("t", customer="acme", agent="a") as task, task.turn() as turn:
            turn.decision("route", choice="a")
    assert len({event["id"] for event in memory.events}) == 6
    assert len({event["data"]["task_id"] for event in memory.events}) == 2


def test_an_exception_ends_the_task_as_failed_and_is_raised_on():
    memory = InMemoryTransport()
    meter = Meter(source="desk", transport=memory)
    with pytest.raises(ZeroDivisionError):
        record_turn_that_raises(meter, ZeroDivisionError())
    assert memory.of_type("agent.task")[0]["data"]["outcome"] == "failed"
    assert len(memory.of_type("agent.turn")) == 1


def test_a_turn_that_fails_before_the_model_answers_is_no_turn():
    memory = InMemoryTransport()
    meter = Meter(source="desk", transport=memory)
    with pytest.raises(OSError, match="no model"), meter.task("t", customer="acme", agent="a") as task, task.turn():
        raise OSError("no model")
    assert [event["type"] for event in memory.events] == ["agent.task"]
    assert memory.events[0]["data"]["turns"] == 0


def test_a_task_without_an_outcome_is_failed():
    memory = InMemoryTransport()
    with Meter(source="desk", transport=memory).task("t", customer="acme", agent="a"):
        pass
    assert memory.events[0]["data"]["outcome"] == "failed"


def test_an_interrupted_process_leaves_no_half_task():
    memory = InMemoryTransport()
    meter = Meter(source="desk", transport=memory)
    with pytest.raises(KeyboardInterrupt):
        record_turn_that_raises(meter, KeyboardInterrupt())
    assert memory.events == []


def test_a_discarded_task_sends_nothing_and_can_be_recorded_again():
    memory = InMemoryTransport()
    meter = Meter(source="desk", transport=memory)
    with meter.task("t", customer="acme", agent="a", task_id="x") as task:
        task.discard()
    assert memory.events == []
    with meter.task("t", customer="acme", agent="a", task_id="x") as task:
        task.succeed()
    assert [event["id"] for event in memory.events] == ["x/task"]


def test_an_outcome_is_said_once_and_no_turn_follows_it():
    memory = InMemoryTransport()
    with Meter(source="desk", transport=memory).task("t", customer="acme", agent="a") as task:
        task.escalate(source="person")
        with pytest.raises(OutcomeError):
            task.succeed()
        with pytest.raises(OutcomeError):
            task.turn()
    assert [event["data"]["outcome"] for event in memory.events] == ["escalated"]
    assert memory.events[0]["data"]["outcome_source"] == "person"


@pytest.mark.parametrize("outcome", ["success", "Succeeded", "", "done"])
def test_an_outcome_nobody_knows_raises_at_the_call_and_is_never_sent(outcome: str):
    memory = InMemoryTransport()
    meter = Meter(source="desk", transport=memory)
    with meter.task("t", customer="acme", agent="a") as task:
        with pytest.raises(OutcomeError, match="Use one of succeeded, failed"):
            task.end(outcome)
        task.fail()
    with pytest.raises(ValueError, match="is not an outcome"):
        meter.record("agent.task", "acme", {"outcome": outcome})
    assert [event["data"]["outcome"] for event in memory.events] == ["failed"]


@pytest.mark.parametrize("customer", ["a/b", " acme", "acme ", "gro\u0308\u00dfe", "-a", "a b", "x" * 129, "a\x00"])
def test_a_customer_nobody_can_be_raises_at_the_call(customer: str):
    memory = InMemoryTransport()
    meter = Meter(source="desk", transport=memory)
    with pytest.raises(ValueError, match="can never be a customer's key"):
        meter.task("t", customer=customer, agent="a")
    with pytest.raises(ValueError, match="can never be a customer's key"):
        meter.record("storage.written", customer, {})
    assert memory.events == []
    meter.record("storage.written", "auth0|größe-5f7c", {})
    assert memory.events[0]["subject"] == "auth0|größe-5f7c"


def test_a_retry_of_a_turn_counts_the_calls_and_not_the_turn():
    memory = InMemoryTransport()
    with Meter(source="desk", transport=memory).task("t", customer="acme", agent="a", task_id="x") as task:
        for _ in range(2):
            with task.turn("message-7") as turn:
                turn.inference(model="m", input_tokens=5, output_tokens=1)
        task.succeed()
    assert [event["id"] for event in memory.of_type("inference.call")] == [
        "x/message-7/inference-1",
        "x/message-7/inference-2",
    ]
    assert [event["id"] for event in memory.of_type("agent.turn")] == ["x/turn/message-7"]
    assert memory.of_type("agent.task")[0]["data"]["turns"] == 1


def test_long_task_ids_still_give_short_and_steady_event_ids():
    memory = InMemoryTransport()
    meter = Meter(source="desk", transport=memory)
    for _ in range(2):
        with meter.task("t", customer="acme", agent="a", task_id="x" * 500) as task, task.turn() as turn:
            turn.decision("route", choice="a")
    ids = [event["id"] for event in memory.events]
    assert ids[:3] == ids[3:]
    assert len(set(ids)) == 3
    assert max(map(len, ids)) <= 200


@pytest.mark.parametrize(
    ("value", "error"), [(0.1, TypeError), ("1.2.3", ValueError), (Decimal("NaN"), ValueError), (True, TypeError)]
)
def test_a_cost_must_be_exact(value, error):
    with Meter(source="desk", transport=InMemoryTransport()).task("t", customer="acme", agent="a") as task:
        with task.turn() as turn, pytest.raises(error):
            turn.inference(model="m", input_tokens=1, output_tokens=1, cost=value, cost_currency="USD")
        task.fail()


def test_measured_seconds_may_come_from_a_timer():
    memory = InMemoryTransport()
    with Meter(source="desk", transport=memory).task("t", customer="acme", agent="a") as task:
        with task.turn() as turn:
            turn.inference(model="m", input_tokens=1, output_tokens=1, compute_seconds=0.1 + 0.2)
        task.succeed()
    assert memory.of_type("inference.call")[0]["data"]["compute_seconds"] == "0.3"


def test_anything_else_is_one_line():
    memory = InMemoryTransport()
    meter = Meter(source="desk", transport=memory, clock=lambda: START, common={"region": "eu"}, sdk=None)
    meter.record("storage.written", "acme", {"bytes": 4096, "gigabytes": Decimal("1E+1")}, id="object-1")
    assert memory.events == [
        {
            "specversion": "1.0",
            "id": "object-1",
            "source": "desk",
            "type": "storage.written",
            "time": "2026-10-03T09:00:00Z",
            "subject": "acme",
            "data": {"region": "eu", "bytes": 4096, "gigabytes": "10"},
        }
    ]


def test_a_time_without_a_zone_is_refused():
    meter = Meter(source="desk", transport=InMemoryTransport())
    with pytest.raises(ValueError, match="zone"):
        meter.event("t", "acme", {}, time=datetime(2026, 1, 1))  # noqa: DTZ001 - the point of the test


def test_every_event_of_a_task_names_its_subscription_also_where_it_goes_on():
    memory = InMemoryTransport()
    meter = Meter(source="desk", transport=memory, sdk=None)
    with meter.task("t", customer="acme", agent="a", subscription="acme-eu") as task:
        with task.turn() as turn:
            turn.inference(model="m", input_tokens=1, output_tokens=1)
        carrier = task.hand_over()
    with meter.continue_task(carrier) as taken_up:
        taken_up.succeed()
    meter.record("report.made", "acme", {}, subscription="acme-us")
    meter.record("report.made", "acme", {})
    named = [event.get("subscription") for event in memory.events]
    assert named == ["acme-eu", "acme-eu", "acme-eu", "acme-us", None]
    assert all("subscription" not in event["data"] for event in memory.events)
