"""Tiers of tests, so that quick ones run alone (`make check`): each test has exactly one of these markers.

fast: neither database nor server. db: PostgreSQL and Valkey of the test run. system: processes of its own, such as web
servers, workers, an inference engine or the whole of `make run`. browser: Chromium.

Besides, `thorough` is given by hand to a test that only `make test-thorough` runs: a soak, an exhaustive sweep, or a
real package in an environment of its own. A quick sibling in `make test` holds the same law on a sample.
"""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

import pytest

from launcher.paths import ROOT

TIERS = ("fast", "db", "system", "browser")

_BROWSER = {"site", "browser_as"}
_SYSTEM = {"system", "system_alone", "live_server", "engine", "server"}
_DB = {"db", "transactional_db", "django_db_setup", "services", "postgres_url", "redis_url"}
#: Files whose tests start processes by a helper that neither a fixture nor an import of the file shows.
_STARTS_PROCESSES = {
    "tests/agents/test_runtime_language.py",
    "tests/billing/documents/test_e_invoice.py",
    "tests/inference/test_engine_models.py",
    "tests/launcher/test_servers.py",
}
_IMPORTS_PROCESSES = re.compile(r"^\s*(import (subprocess|multiprocessing)|from tests\.sdk\.processes)\b", re.MULTILINE)


def tier_of(item: pytest.Item) -> str:
    """The tier of a test by the fixtures it uses, its markers and its file."""
    fixtures = set(getattr(item, "fixturenames", ()))
    path = Path(item.path).relative_to(ROOT).as_posix()
    if path.startswith("tests/browser/") or fixtures & _BROWSER:
        return "browser"
    if fixtures & _SYSTEM or path in _STARTS_PROCESSES:
        return "system"
    if fixtures & _DB or item.get_closest_marker("django_db"):
        return "db"
    return "system" if _starts_processes(item.path) else "fast"


@cache
def _starts_processes(file: Path) -> bool:
    return _IMPORTS_PROCESSES.search(file.read_text(encoding="utf-8")) is not None


def mark(items: list[pytest.Item]) -> None:
    """Give every test the marker of its tier."""
    for item in items:
        item.add_marker(tier_of(item))
