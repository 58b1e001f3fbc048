"""The whole system as processes of its own, for tests which kill one of them.

    def test_a_killed_web_server_loses_nothing(system):       # or system_alone, to kill PostgreSQL too
        system.start("web", "worker")
        httpx.post(f"{system.address}/api/v1/events", …)
        system.kill("web")
        system.start("web")
        system.manage("close_month", "--month", "2026-10")

Its commands and processes run in production's ways, but with TAXIMETER_ENV=test.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlparse

from launcher import process, programs
from launcher.paths import ROOT
from launcher.postgres import DATABASE
from launcher.services import Services
from tests.migrated import create_migrated_database

_BIN = Path(sys.executable).parent
_TEMPLATE = "taximeter_template"


def free_port() -> int:
    """A port of 127.0.0.1 that nobody uses at the moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass
class System:
    """Processes on one database and one Valkey. None runs until `start`; all are gone after `stop`."""

    services: Services
    postgres_url: str
    port: int = field(default_factory=free_port)
    processes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.var.mkdir(exist_ok=True)

    @property
    def var(self) -> Path:
        """Where this system's processes write."""
        return self.services.directory / "var"

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def redis_url(self) -> str:
        return self.services.redis_url

    @property
    def environment(self) -> dict[str, str]:
        """What every process of this system is started with."""
        return os.environ | {
            "DATABASE_URL": self.postgres_url,
            "REDIS_URL": self.redis_url,
            "TAXIMETER_ENV": "test",
            "TAXIMETER_VAR": str(self.var),
            "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "sdk" / "src")]),
        }

    @contextmanager
    def database(self) -> Iterator[None]:
        """Django's connection in this process goes to this system's database, as long as this is open."""
        from django.db import connection  # configured by now, and not when pytest loads this file

        before = connection.settings_dict["NAME"]
        connection.close()
        connection.settings_dict["NAME"] = urlparse(self.postgres_url).path.removeprefix("/")
        try:
            yield
        finally:
            connection.close()
            connection.settings_dict["NAME"] = before

    def start(self, *names: str, **environment: str) -> None:
        """Start `web`, `worker` or `beat` (none named: the first two), and wait until the web server answers."""
        for name in names or ("web", "worker"):
            self.processes[name] = process.start(
                self._command(name), log=self.log(name), environment=self.environment | environment, cwd=ROOT
            )
        if "web" in (names or ("web",)):
            self.wait_until_serving()

    def pid(self, name: str) -> int:
        """The process that `start` made: the master of the web server's or worker's processes."""
        return self.processes[name].pid

    def kill(self, name: str) -> None:
        """`kill -9` the process `name`, or `postgres` or `valkey` where they belong to this system."""
        victim = self._process(name)
        victim.send_signal(signal.SIGKILL)
        victim.wait(10)

    def manage(self, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run a `manage.py` command to its end; `AssertionError` with its output where it fails and `check` is set."""
        done = subprocess.run(
            [sys.executable, "manage.py", *arguments],
            cwd=ROOT,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=180,
            check=False,
        )
        assert not check or done.returncode == 0, f"manage.py {arguments}:\n{done.stdout}\n{done.stderr}"
        return done

    def start_manage(self, *arguments: str) -> subprocess.Popen[bytes]:
        """A `manage.py` command left running, for instance to be killed; its output is in `log("manage")`."""
        command = [sys.executable, "manage.py", *arguments]
        running = process.start(command, log=self.log("manage"), environment=self.environment, cwd=ROOT)
        self.processes[f"manage-{running.pid}"] = running
        return running

    def log(self, name: str) -> Path:
        return self.services.directory / f"{name}.log"

    def wait_until_serving(self, seconds: float = 90) -> None:
        """Until the web server answers `/healthz`; `AssertionError` with the end of its log where it does not."""
        assert process.wait_until(self._answers, seconds=seconds, interval=0.1), process.tail(self.log("web"), 40)

    def stop(self) -> None:
        """End what this system started, its own PostgreSQL and Valkey too, and remove their data."""
        for running in self.processes.values():
            process.stop(running, seconds=10)
        self.services.stop()

    def _process(self, name: str) -> subprocess.Popen[bytes]:
        found = {"postgres": self.services.postgres, "valkey": self.services.valkey, **self.processes}[name]
        assert found is not None, f"this system has no {name} of its own"
        return found

    def _answers(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.address}/healthz", timeout=5) as answer:
                return bool(answer.status == 200)
        except OSError:
            return False

    def _command(self, name: str) -> list[str | Path]:
        celery = [_BIN / "celery", "-A", "config"]
        return {
            "web": programs.web_server(host="127.0.0.1", port=self.port, workers=1),
            "worker": [*celery, "worker", "--concurrency", "2", "--loglevel", "info"],
            "beat": [*celery, "beat", "--loglevel", "info", "--pidfile="],
        }[name]


def migrate_template(shared: Services) -> str:
    """Make a migrated database in `shared`, from which `system_on` and Django's test database are copied; its name."""
    create_migrated_database(shared, _TEMPLATE)
    return _TEMPLATE


@contextmanager
def system_on(shared: Services) -> Iterator[System]:
    """A system on a fresh copy of the template database in `shared`, with a Valkey of its own."""
    services = Services.temporary()
    name = services.directory.name
    shared.cluster.create_database(name, template=_TEMPLATE)
    system = System(services, shared.cluster.url(name))
    try:
        services.start_valkey()
        yield system
    finally:
        system.stop()
        shared.cluster.drop_database(name)


@contextmanager
def system_alone() -> Iterator[System]:
    """A system with a migrated PostgreSQL and a Valkey of its own, which may both be killed.

    Start them again with `system.services.start_postgres()` and `start_valkey()`.
    """
    system = System(services := Services.temporary(durable=True), services.postgres_url)
    try:
        services.start()
        create_migrated_database(services, DATABASE)
        yield system
    finally:
        system.stop()
