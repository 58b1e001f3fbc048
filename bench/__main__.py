"""`python -m bench [NAME [NUMBER…]]`: run one benchmark, with its own numbers, or all of them.

A benchmark is a module of this directory with a `main` that prints what it measured.
"""

from __future__ import annotations

import importlib
import os
import subprocess
import sys
from pathlib import Path


def main(name: str | None = None, *numbers: str) -> int:
    """Answers the exit status: 2 for a name that is none."""
    files = sorted(Path(__file__).parent.glob("[!_]*.py"))
    known = [file.stem for file in files if "\ndef main(" in file.read_text()]
    if name is None:
        # Each in a process of its own: Django cannot be set up twice in one.
        statuses = [subprocess.run([sys.executable, "-m", "bench", each], check=False).returncode for each in known]
        return int(any(statuses))
    if name not in known:
        print(f"No benchmark is named {name}. There are: {', '.join(known) or 'none yet'}.")
        return 2
    # The events of benchmarks have fixed times, and are measured on any day.
    os.environ.setdefault("TAXIMETER_EVENT_LOOK_BACK_DAYS", "1000000")
    os.environ.setdefault("TAXIMETER_EVENT_LOOK_AHEAD_SECONDS", "100000000000")
    print(f"== {name}", flush=True)
    importlib.import_module(f"bench.{name}").main(*map(int, numbers))
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
