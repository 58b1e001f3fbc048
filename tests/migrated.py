"""Migrated databases, quickly: migrations run once, and what they made is kept as a dump until one of them changes."""

from __future__ import annotations

import fcntl
import hashlib
import os
import subprocess
import sys
from pathlib import Path

from launcher.paths import ROOT
from launcher.postgres import binary
from launcher.services import Services

_KEPT = ROOT / "var" / "tests"


def create_migrated_database(services: Services, name: str) -> None:
    """Make the database `name` in the running cluster of `services`, or fill it where it is there and empty.

    Processes that need the same migrations at the same time run them once: the others wait.
    """
    services.cluster.create_database(name)
    _KEPT.mkdir(parents=True, exist_ok=True)
    dump = _KEPT / f"schema-{_fingerprint()}.sql"
    with (_KEPT / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not dump.exists():
            _migrate(services.cluster.url(name))
            _keep(services.cluster.url(name), dump)
            return
    restore = [binary("psql"), "--quiet", "--no-psqlrc", "--set=ON_ERROR_STOP=1", "--output=/dev/null"]
    _run([*restore, f"--file={dump}", services.cluster.url(name)])


def _fingerprint() -> str:
    """Of every migration, of the packages whose migrations run as well, and of how this is done."""
    files = [*ROOT.glob("*/migrations/*.py"), ROOT / "rest/create_models.py", ROOT / "requirements.txt", Path(__file__)]
    seen = hashlib.sha256()
    for file in sorted(files):
        seen.update(f"{file.relative_to(ROOT)}\n".encode() + file.read_bytes())
    return seen.hexdigest()[:16]


def _migrate(url: str) -> None:
    paths = os.pathsep.join([str(ROOT), str(ROOT / "sdk" / "src")])
    environment = os.environ | {"DATABASE_URL": url, "TAXIMETER_ENV": "test", "PYTHONPATH": paths}
    _run([sys.executable, "manage.py", "migrate", "--verbosity", "0", "--skip-checks"], environment)


def _keep(url: str, dump: Path) -> None:
    """Write the dump under its name only when it is whole, and forget those of other migrations."""
    unfinished = dump.with_suffix(".unfinished")
    _run([binary("pg_dump"), "--no-owner", f"--file={unfinished}", url])
    for old in _KEPT.glob("schema-*.sql"):
        old.unlink(missing_ok=True)
    unfinished.rename(dump)


def _run(command: list[str | Path], environment: dict[str, str] | None = None) -> None:
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=900, check=False)
    assert done.returncode == 0, f"{command[0]}:\n{done.stdout}\n{done.stderr}"
