"""The SDK needs nothing but the standard library until a library's integration is used."""

from __future__ import annotations

import subprocess
import sys

import pytest

from launcher.paths import ROOT

_CODE = """
import importlib, sys
sys.path.insert(0, {path!r})
before = set(sys.modules)
for name in {modules!r}:
    importlib.import_module(name)
loaded = {{name.partition(".")[0] for name in set(sys.modules) - before}}
print(sorted(loaded - set(sys.stdlib_module_names) - {{"taximeter", "__mp_main__"}}))
"""


@pytest.mark.parametrize(
    "modules",
    [
        ["taximeter", "taximeter.client"],
        # What wraps a client is given one: it needs no import of its own.
        ["taximeter.integrations.openai", "taximeter.integrations.anthropic"],
    ],
)
def test_only_the_standard_library_is_loaded(modules):
    code = _CODE.format(path=str(ROOT / "sdk" / "src"), modules=modules)
    done = subprocess.run([sys.executable, "-I", "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.strip() == "[]"
