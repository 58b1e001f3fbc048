"""Files of tests in the order of their durations, longest first, so that processes that share them end together.

`tests/durations.txt` has the seconds that each file took; `make durations` measures them again. Files that are not in
it are short, or new, and run last. pytest-xdist hands files out in the order of collection, by the option
`--no-loadscope-reorder`.
"""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path

import pytest

from launcher.paths import ROOT

DURATIONS = ROOT / "tests" / "durations.txt"
_HEADER = "# Seconds of each file of tests on an idle machine: make durations writes them.\n"
#: Shorter files are left out of the table and run last.
_LEAST_SECONDS = 1.0


def read_durations(path: Path = DURATIONS) -> dict[str, float]:
    """Seconds by file, relative to the project. Empty where nothing was measured."""
    if not path.exists():
        return {}
    lines = [line.split() for line in path.read_text().splitlines() if line and not line.startswith("#")]
    return {file: float(seconds) for seconds, file in lines}


def write_durations(durations: dict[str, float], path: Path = DURATIONS) -> None:
    """Update the table by `durations`; files that are gone, or short, are left out."""
    known = read_durations(path) | durations
    kept = {file: seconds for file, seconds in known.items() if seconds >= _LEAST_SECONDS and (ROOT / file).exists()}
    ordered = sorted(kept.items(), key=lambda entry: (-entry[1], entry[0]))
    path.write_text(_HEADER + "".join(f"{seconds:7.1f}  {file}\n" for file, seconds in ordered))


def sort_longest_first(items: list[pytest.Item]) -> None:
    """Sort `items` by their files, longest first; the order within each file stays."""
    durations = read_durations()
    items.sort(key=lambda item: -durations.get(file_of(item.nodeid), 0.0))


def file_of(nodeid: str) -> str:
    """The file of a test, relative to the project, as pytest names it."""
    return nodeid.partition("::")[0]


class Stopwatch:
    """pytest plugin that adds up the seconds of each file and writes the table at the end of the run."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = defaultdict(float)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        self.seconds[file_of(report.nodeid)] += report.duration

    def pytest_sessionfinish(self) -> None:
        write_durations(self.seconds)
