"""Whom the wrapped client of `openai` tells who a call is for, and who meters it."""

from __future__ import annotations

import json

import openai
from taximeter import HttpTransport, Meter
from taximeter.integrations.openai import wrap

from tests.sdk.openai_server import chunks, completion
from tests.sdk.wrapped_openai.conftest import ASK, a_task, kinds


def test_taximeters_own_door_is_told_whom_it_is_for_and_meters_itself(server):
    """The door and the place events are sent to have one address."""
    meter = Meter(source="desk", transport=HttpTransport(server.address, api_key="k"))
    client = wrap(openai.OpenAI(base_url=f"{server.address}/v1", api_key="k"), meter=meter, customer="zeta")
    server.answers = [completion(), chunks(), {"accepted": 3, "duplicates": 0, "rejected": []}, completion()]
    with a_task(meter) as task:
        client.chat.completions.create(**ASK)
        list(client.chat.completions.create(**ASK, stream=True, extra_headers={"x-task-id": "other"}))
        task.succeed()
    client.chat.completions.create(**ASK)
    [(_, _, events)] = [one for one in server.requests if one[0] == "/api/v1/events"]
    assert [event["type"] for event in events] == ["agent.turn", "agent.turn", "agent.task"]
    told = [
        {name: headers.get(name) for name in ("x-customer", "x-agent", "x-task-id", "x-turn-id", "x-subscription")}
        for path, headers, _ in server.requests
        if path == "/v1/chat/completions"
    ]
    assert told == [
        {
            "x-customer": "acme",
            "x-agent": "support@3",
            "x-task-id": "ticket-1",
            "x-turn-id": "ticket-1/turn-1",
            "x-subscription": None,
        },
        {
            "x-customer": "acme",
            "x-agent": "support@3",
            "x-task-id": "other",
            "x-turn-id": "ticket-1/turn-2",
            "x-subscription": None,
        },
        {"x-customer": "zeta", "x-agent": None, "x-task-id": None, "x-turn-id": None, "x-subscription": None},
    ]


def test_what_no_header_can_hold_is_not_told_and_refuses_no_call(server, meter, caplog):
    client = wrap(openai.OpenAI(base_url=f"{server.address}/v1", api_key="k"), meter=meter, door=True)
    server.answers = [completion()]
    with meter.task("t", customer="müller", agent="a", task_id="t" * 300, subscription="eu"):
        client.chat.completions.create(**ASK)
    told = {name for name in server.requests[0][1] if name in {"x-customer", "x-agent", "x-task-id", "x-turn-id"}}
    assert told == {"x-customer", "x-agent", "x-turn-id"}
    assert server.requests[0][1]["x-customer"] == "m%C3%BCller"  # UTF-8, percent-encoded
    assert server.requests[0][1]["x-subscription"] == "eu"
    assert "t" * 50 in caplog.text


def test_a_call_is_made_even_if_who_it_is_for_cannot_be_told(server, meter, memory, caplog):
    def nobody() -> str:
        raise LookupError("who?")

    for door in (True, False):
        plain = openai.OpenAI(base_url=f"{server.address}/v1", api_key="k")
        client = wrap(plain, meter=meter, customer=nobody, door=door)
        server.answers = [completion()]
        assert client.chat.completions.create(**ASK).choices
    assert memory.events == []
    assert caplog.text.count("who?") >= 2


def test_another_provider_is_told_nothing_of_customers(server, meter, client, memory):
    server.answers = [completion()]
    with a_task(meter):
        client.chat.completions.create(**ASK)
    _, headers, _ = server.requests[0]
    assert not [name for name in headers if name.startswith("x-") and not name.startswith("x-stainless")]
    assert "acme" not in json.dumps([headers, server.bodies])


def test_an_answer_that_says_it_is_metered_is_not_metered_again(server, meter, client, memory, caplog):
    server.headers = {"X-Taximeter-Call": "call_1"}
    server.answers = [chunks(), completion(taximeter={"input_tokens": 410})]
    with a_task(meter):
        list(client.chat.completions.create(**ASK, stream=True))
        client.chat.completions.create(**ASK)
    assert kinds(memory) == ["turn", "turn", "task"]
    assert "door=True" in caplog.text
