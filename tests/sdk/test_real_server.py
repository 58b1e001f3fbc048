"""The SDK and Taximeter's own server: what one promises, the other keeps."""

from __future__ import annotations

import random
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
from taximeter import Meter, SpoolTransport
from taximeter.cli import main
from taximeter.delivery.sender import Waits

from launcher.services import Services
from tests.sdk.processes import ENVIRONMENT, flush, noted, start, start_recorder
from tests.sdk.receiver import wait_for
from tests.sdk.test_readme import README, program
from tests.system import System, free_port, system_on

QUICK = Waits(first=0.02, longest=0.2, idle=0.01)


@dataclass
class Vendor:
    """An organization on a running server, and a key that may do everything."""

    system: System
    key: str

    @property
    def address(self) -> str:
        return self.system.address

    def events(self, **filters: str) -> list[dict[str, Any]]:
        """All events of the organization, or some."""
        found: list[dict[str, Any]] = []
        cursor: str | None = ""
        headers = {"authorization": f"Bearer {self.key}"}
        with httpx.Client(base_url=self.address, headers=headers, timeout=30) as client:
            while cursor is not None:
                question = {"limit": 1000, **filters, **({"cursor": cursor} if cursor else {})}
                answer = client.get("/api/v1/events", params=question).json()
                found += answer["data"]
                cursor = answer["next_cursor"]
        return found

    def transport(self, directory: Any, *, key: str | None = None) -> SpoolTransport:
        return SpoolTransport(self.address, api_key=key or self.key, directory=directory, waits=QUICK)


@pytest.fixture(scope="module")
def vendor(services: Services, _system_template: None) -> Iterator[Vendor]:
    """One server for all of this module."""
    with system_on(services) as system:
        system.start("web")
        system.manage("create_organization", "Vendor")
        key = system.manage("create_api_key", "--organization", "vendor", "--scope", "admin").stdout.strip()
        yield Vendor(system, key)


@pytest.fixture
def model_server() -> Iterator[str]:
    """The address of a model that knows nothing of Taximeter; its key is `secret`."""
    port = free_port()
    serving = start(sys.executable, "-m", "tests.sdk.model_server", str(port), "secret", pipes=True)
    assert serving.stdout is not None
    assert serving.stdin is not None
    try:
        assert serving.stdout.readline() == b"ready\n"
        yield f"http://127.0.0.1:{port}/v1"
    finally:
        serving.kill()
        serving.wait()
        serving.stdin.close()
        serving.stdout.close()


def test_the_agent_of_the_readme_works_with_a_real_model_and_is_metered(vendor: Vendor, model_server, tmp_path):
    environment = {
        "OPENAI_BASE_URL": model_server,
        "OPENAI_API_KEY": "secret",
        "TAXIMETER_URL": vendor.address,
        "TAXIMETER_API_KEY": vendor.key,
        "TAXIMETER_SPOOL": str(tmp_path / "spool"),
    }
    done = subprocess.run(
        [sys.executable, "-c", program(README, "An agent in 20 lines")],
        env=ENVIRONMENT | environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("ticket 4711: ")
    events = vendor.events(task_id="ticket-4711")
    assert len(events) == 5
    data = {event["type"]: event["data"] for event in events}
    assert set(data) == {"inference.call", "agent.decision", "agent.tool_call", "agent.turn", "agent.task"}
    assert {one["task_id"] for one in data.values()} == {"ticket-4711"}
    assert data["inference.call"]["turn_id"] == data["agent.turn"]["turn_id"] == "ticket-4711/turn-1"
    assert data["inference.call"]["input_tokens"] > 10
    assert 1 <= data["inference.call"]["output_tokens"] <= 8
    assert data["agent.task"]["outcome"] in {"succeeded", "escalated"}
    assert "charged my card" not in str(events)
    assert not list((tmp_path / "spool").glob("*/*.log"))


def test_events_of_killed_processes_are_in_the_server_exactly_once(vendor: Vendor, tmp_path):
    """The server is killed, too."""
    draw = random.Random(20261126)
    spool, notes = tmp_path / "spool", []
    for kill in range(6):
        notes.append(tmp_path / f"notes-{kill}")
        victim = start_recorder(
            vendor.address, spool, notes[-1], f"s{kill}", TAXIMETER_API_KEY=vendor.key, PAUSE="0.005"
        )
        assert wait_for(lambda: bool(noted(notes[-1])), seconds=20)
        time.sleep(draw.uniform(0.1, 0.5))
        if kill == 3:
            vendor.system.kill("web")
            time.sleep(0.2)
            vendor.system.start("web")
        victim.kill()
        victim.wait()
    flush(vendor.address, spool, vendor.key)
    stored = [event["id"] for event in vendor.events() if event["source"] == "recorder"]
    assert len(stored) == len(set(stored))
    assert set(noted(*notes)) <= set(stored)


def test_the_server_takes_what_it_can_and_the_rest_is_set_aside_with_its_reasons(vendor: Vendor, tmp_path):
    transport = vendor.transport(tmp_path / "spool")
    meter = Meter(source="mixed", transport=transport)
    events = [meter.event("t", "acme", {"n": n}, id=f"good{n}") for n in range(3)]
    large = meter.event("t", "acme", {"x": "x" * 100_000}, id="large")
    nul = meter.event("t", "acme", {"x": "a\x00b"}, id="nul")
    half = meter.event("t", "acme", {"x": "\ud800"}, id="half")
    again = {**events[0], "data": {"n": 99}}
    meter.send([events[0], large, events[1], nul, half, again, events[2], events[2]])
    assert meter.flush(30)
    refused = {entry["event"]["id"]: entry["code"] for entry in transport.directory.refused()}
    assert {name: refused[name] for name in ("large", "nul", "good0")} == {
        "large": "event_too_large",
        "nul": "data_invalid",
        "good0": "id_conflict",
    }
    assert set(refused) == {"large", "nul", "half", "good0"}
    stored = [event for event in vendor.events() if event["source"] == "mixed"]
    assert sorted((event["id"], event["data"]["n"]) for event in stored) == [("good0", 0), ("good1", 1), ("good2", 2)]
    assert transport.stats().duplicates == 1
    transport.close()


def test_a_wrong_key_holds_the_events_until_a_process_has_the_right_one(vendor: Vendor, tmp_path, capsys):
    spool = ["--spool", str(tmp_path / "spool"), "--url", vendor.address]
    wrong = vendor.transport(tmp_path / "spool", key="wrong")
    Meter(source="held", transport=wrong).record("t", "acme", {}, id="held")
    assert not wrong.close(0.5)
    assert "401" in (wrong.stats().problem or "")
    assert main(["doctor", *spool, "--api-key", "wrong"]) == 1
    assert "the key is wrong or was revoked" in capsys.readouterr().out
    assert main(["flush", *spool, "--api-key", vendor.key]) == 0
    assert [event["id"] for event in vendor.events() if event["source"] == "held"] == ["held"]
    capsys.readouterr()
    assert main(["doctor", *spool, "--api-key", vendor.key]) == 0
    assert "takes events with this key" in (told := capsys.readouterr().out)
    assert "clock and the server's agree" in told or "clock" not in told
