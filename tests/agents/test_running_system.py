"""The real web server, worker and beat: what is posted is summed up, and what is queued is worked, by itself."""

from __future__ import annotations

import json
import time
import urllib.request
from collections.abc import Callable
from typing import Any

from tests.agents.openai_server import OpenAiServer
from tests.system import System

SET_UP = """
from accounts.facade import create_api_key
from agents.facade import set_up_organization
from agents.models import Provider
Provider.objects.create(key="vllm", name="vLLM", address="{address}")
print(create_api_key(organization=set_up_organization(name="Vendor"), scopes=["admin"])[1])
"""


def test_events_become_tasks_and_queued_tasks_are_worked_within_seconds(system: System) -> None:
    with OpenAiServer({"tool": "refund", "amount": 5}, {"tool": "done"}) as server:
        secret = system.manage("shell", "--no-imports", "-c", SET_UP.format(address=server.address)).stdout.split()[-1]
        system.start("web", "worker", "beat", TAXIMETER_AGENT_MODULES="tests.agents.agent_tools")

        def ask(path: str, body: Any = None) -> Any:
            request = urllib.request.Request(
                f"{system.address}/api/v1/{path}",
                data=None if body is None else json.dumps(body).encode(),
                headers={"Authorization": f"Bearer {secret}", "Content-Type": "application/json"},
            )
            with urllib.request.urlopen(request, timeout=20) as answer:
                return json.load(answer)

        told = {"goal": "g", "provider": "vllm", "model": "tiny", "tools": ["refund"]}
        ask("agents", {"key": "support", "definition": told})
        assert ask("tasks", {"agent": "support", "customer": "acme", "task_id": "t-1"})["state"] == "queued"
        event = {"specversion": "1.0", "id": "e", "source": "s", "type": "agent.turn", "data": {"task_id": "t-2"}}
        ask("events", event)
        tasks = _eventually(lambda: {one["id"]: one for one in ask("tasks")["data"]}, lambda found: len(found) == 2)
        assert (tasks["t-1"]["outcome"], tasks["t-1"]["turns"], tasks["t-2"]["turns"]) == ("succeeded", 2, 1)
        assert ask("tasks/t-1")["run"]["state"] == "ended"


def _eventually(ask: Callable[[], Any], is_enough: Callable[[Any], bool]) -> Any:
    deadline = time.monotonic() + 60
    while True:
        found = ask()
        if is_enough(found) or time.monotonic() > deadline:
            return found
        time.sleep(0.2)
