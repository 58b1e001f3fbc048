"""The demo's agents with the default model: it must finish, in few turns, and stay within its tools."""

from __future__ import annotations

from taximeter import InMemoryTransport, Meter

from agents.demo.desks import ROUTER, TRIAGE, RouterDesk, TriageDesk
from agents.demo.inputs import airline_messages, change_notes
from agents.runtime.model import HttpModelClient
from agents.runtime.work import work_task
from tests.inference.engine_process import SECRET, start_engine


def test_the_demo_agents_finish_their_tasks_within_their_turns():
    engine = start_engine(None)
    model = HttpModelClient(socket=str(engine.socket), api_key=SECRET)
    memory = InMemoryTransport()
    meter = Meter(source="test", transport=memory)
    try:
        for agent, desk in ((TRIAGE, TriageDesk(change_notes()[0])), (ROUTER, RouterDesk(airline_messages()[0]))):
            result = work_task(agent=agent, desk=desk, customer="acme", task_id=agent.key, model=model, meter=meter)
            assert result.outcome in {"succeeded", "failed", "escalated"}
            assert result.decisions == len(result.steps) <= agent.max_turns
            assert 0 < result.compute_seconds < 60
    finally:
        engine.stop()
    assert {event["data"]["model"] for event in memory.of_type("inference.call")} == {"smollm2-135m-instruct"}


def test_every_input_of_the_demo_has_a_text_and_an_answer_and_its_own_id():
    notes, messages = change_notes(), airline_messages()
    assert {note.answer for note in notes} == {"bug", "feature", "documentation"}
    assert {message.answer for message in messages} <= {"booking", "change", "cancellation", "person"}
    assert len({given.id for given in notes + messages}) == len(notes) + len(messages) == 42
    assert all(10 < len(given.text) <= 160 for given in notes + messages)
