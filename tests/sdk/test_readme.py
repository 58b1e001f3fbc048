"""What the README shows is run, as it stands."""

from __future__ import annotations

import os
import re
import subprocess
import sys

import pytest

from launcher.paths import ROOT

README = (ROOT / "sdk" / "README.md").read_text()
GUIDE = (ROOT / "docs" / "sdk.md").read_text()


def program(text: str, heading: str) -> str:
    """The first Python program below a heading."""
    found = re.search(rf"^#+ {re.escape(heading)}$.*?^```python\n(.*?)^```", text, re.DOTALL | re.MULTILINE)
    assert found, heading
    return found[1]


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
