"""What the README shows is run, as it stands."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator

import httpx
import pytest

from launcher.paths import ROOT
from tests.sdk.processes import ENVIRONMENT, start
from tests.system import System, free_port

README = (ROOT / "sdk" / "README.md").read_text()
GUIDE = (ROOT / "docs" / "sdk.md").read_text()


def program(text: str, heading: str) -> str:
    """The first Python program below a heading."""
    found = re.search(rf"^#+ {re.escape(heading)}$.*?^```python\n(.*?)^```", text, re.DOTALL | re.MULTILINE)
    assert found, heading
    return found[1]


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


def test_the_agent_of_the_readme_works_with_a_real_model_and_is_metered(system: System, model_server, tmp_path):
    system.start("web")
    system.manage("create_organization", "Vendor")
    key = system.manage("create_api_key", "--organization", "vendor", "--scope", "admin").stdout.strip()
    environment = {
        "OPENAI_BASE_URL": model_server,
        "OPENAI_API_KEY": "secret",
        "TAXIMETER_URL": system.address,
        "TAXIMETER_API_KEY": key,
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
    answer = httpx.get(f"{system.address}/api/v1/events", headers={"authorization": f"Bearer {key}"}, timeout=30).json()
    assert len(answer["data"]) == 5
    data = {event["type"]: event["data"] for event in answer["data"]}
    assert set(data) == {"inference.call", "agent.decision", "agent.tool_call", "agent.turn", "agent.task"}
    assert {one["task_id"] for one in data.values()} == {"ticket-4711"}
    assert data["inference.call"]["turn_id"] == data["agent.turn"]["turn_id"] == "ticket-4711/turn-1"
    assert data["inference.call"]["input_tokens"] > 10
    assert 1 <= data["inference.call"]["output_tokens"] <= 8
    assert data["agent.task"]["outcome"] in {"succeeded", "escalated"}
    assert "charged my card" not in str(answer)
    assert not list((tmp_path / "spool").glob("*/*.log"))


def test_the_agent_has_twenty_lines():
    lines = [line for line in program(README, "An agent in 20 lines").splitlines() if line.strip()]
    assert len(lines) <= 20


def test_the_test_of_the_readme_passes():
    exec(compile(program(README, "Testing code that uses it"), "README.md", "exec"), {})


@pytest.mark.parametrize("heading", ["How to test code that uses it"])
def test_the_programs_of_the_guide_run(heading):
    exec(compile(program(GUIDE, heading), "sdk.md", "exec"), {})


def test_the_package_needs_nothing_but_the_standard_library():
    code = "import sys, taximeter, taximeter.cli; print(*{name.partition('.')[0] for name in sys.modules})"
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", f"import sys; sys.path.insert(0, {str(ROOT / 'sdk' / 'src')!r}); {code}"],
        capture_output=True,
        text=True,
        check=True,
        env={name: value for name, value in os.environ.items() if not name.startswith("TAXIMETER")},
    )
    loaded = set(done.stdout.split()) - {"taximeter", "__main__"}
    assert loaded <= set(sys.stdlib_module_names)
