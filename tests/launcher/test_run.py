"""`make run` and `make stop`, on the whole of Taximeter."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import stat
import subprocess
import sys
import tempfile
import urllib.request
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import openai
import pytest

from launcher import process
from launcher.paths import ROOT, Layout
from tests.system import free_port

_PROGRAMS = {"postgres", "valkey", "engine", "web", "worker", "beat"}


class Terminal:
    """Somebody at a terminal who uses the launcher with a `var` and a port of their own."""

    def __init__(self, directory: Path, *, through: Sequence[str | Path] = ()) -> None:
        self.var = directory / "var"
        self.port = free_port()
        self.output = directory / "output"
        self.through = through  # what a command of theirs is run by
        ours = {"DATABASE_URL", "REDIS_URL", "TAXIMETER_ENV", "TAXIMETER_ENGINE_SECRET", "HOME", "SECRET_KEY"}
        self.environment = {name: value for name, value in os.environ.items() if name not in ours} | {
            "TAXIMETER_VAR": str(self.var),
            "TAXIMETER_PORT": str(self.port),
            "TAXIMETER_DEMO": "0",
        }
        self._running: subprocess.Popen[bytes] | None = None

    def run(self) -> subprocess.Popen[bytes]:
        """`make run` in a process group of its own, as a shell starts it; answers once it serves or has ended."""
        self.output.write_bytes(b"")
        running = self._running = process.start(
            self._command("run"), log=self.output, environment=self.environment, cwd=ROOT
        )
        assert process.wait_until(lambda: running.poll() is not None or "Serving at" in self.said(), seconds=300)
        return running

    def launcher(self, command: str) -> subprocess.CompletedProcess[str]:
        said = process.shimmed(self._command(command))
        return subprocess.run(
            said, env=self.environment, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False
        )

    def close(self) -> None:
        if self._running is not None and self._running.poll() is None:
            self.launcher("stop")
            process.stop(self._running)

    def said(self) -> str:
        return self.output.read_text()

    def processes(self) -> list[int]:
        return process.tagged(str(self.var))

    def is_serving(self) -> bool:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/readyz", timeout=5) as answer:
                return answer.status == 200
        except OSError:
            return False

    def pids(self) -> dict[str, int]:
        """The process of each program, as supervisord started it."""
        marks = {"postgres": "bin/postgres -D", "valkey": "valkey-server", "engine": "run_engine"}
        marks |= {"web": "-m granian", "worker": "config worker", "beat": "config beat"}
        commands = {pid: process.command_of(pid) for pid in sorted(self.processes(), reverse=True)}
        return {name: pid for name, mark in marks.items() for pid, command in commands.items() if mark in command}

    def engines(self) -> list[int]:
        """The process that keeps the engine, and the engine."""
        return [pid for pid in sorted(self.processes()) if "run_engine" in process.command_of(pid)]

    def api_key(self) -> str:
        """An API key of an organization of its own."""
        self.manage("create_organization", "Engine users")
        return self.manage("create_api_key", "--organization", "engine-users", "--scope", "ingest")

    def calls(self) -> list[str]:
        """How the recorded calls of models ended."""
        script = (
            "from metering.facade import UsageEvent\n"
            "print(*sorted(UsageEvent.objects.filter(type='inference.call')"
            ".values_list('data__finish_reason', flat=True)))"
        )
        return self.manage("shell", "--verbosity", "0", "--command", script).split()

    def manage(self, *arguments: str) -> str:
        """What a command typed by hand prints."""
        command = [sys.executable, "manage.py", *arguments]
        done = subprocess.run(
            command, env=self.environment, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False
        )
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def _command(self, command: str) -> list[str | Path]:
        return [*self.through, sys.executable, "-m", "launcher", command]


@pytest.fixture(scope="module")
def terminal(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Terminal]:
    """A running instance, for tests that leave it running."""
    someone = Terminal(tmp_path_factory.mktemp("run"))
    someone.run()
    yield someone
    someone.close()
    assert someone.processes() == []


@pytest.fixture
def someone(tmp_path: Path) -> Iterator[Terminal]:
    """Somebody who has started nothing yet."""
    person = Terminal(tmp_path)
    yield person
    person.close()


#: Run as the user `nobody`, in a mount namespace where the directories named first can be reached although they
#: lie in somebody's closed home, such as a Python of root's own.
_AS_NOBODY = """
set -e
stash=$1; closed=$2; shift 2
for place in "$@"; do [ "$place" = -- ] && break; mkdir -p "$stash$place"; mount --bind "$place" "$stash$place"; done
for place in $closed; do mount -t tmpfs -o mode=755 tmpfs "$place"; done
while [ "$1" != -- ]; do [ -e "$1" ] || { mkdir -p "$1"; mount --bind "$stash$1" "$1"; }; shift; done
shift; cd "$PWD"
exec setpriv --reuid=65534 --regid=65534 --clear-groups "$@"
"""


@pytest.fixture
def nobody() -> Iterator[Terminal]:
    """The user `nobody`, who has no home."""
    if os.geteuid():
        pytest.skip("the other tests run as an ordinary user already")
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        directory.chmod(0o755)
        os.chown(directory, 65534, 65534)
        needed = [Path(sys.base_prefix), Path(sys.prefix), ROOT]
        closed = {above for place in needed for above in place.parents if not above.stat().st_mode & 0o001}
        shell = ["/usr/bin/env", "unshare", "--mount", "sh", "-c", _AS_NOBODY, "sh", directory / "stash"]
        person = Terminal(directory, through=[*shell, " ".join(map(str, closed)), *needed, "--"])
        possible = process.capture([*person.through, sys.executable, "-c", "import django"])
        if possible.returncode:
            pytest.skip(f"this root cannot act for an ordinary user: {possible.stderr}")
        yield person
        person.close()


def test_everything_runs_and_serves(terminal):
    assert terminal.is_serving()
    assert set(terminal.pids()) == _PROGRAMS
    assert f"http://127.0.0.1:{terminal.port}" in terminal.launcher("status").stdout


def test_secrets_are_for_the_owner_only(terminal):
    for file in (terminal.var / "secrets.json", Layout(terminal.var).run / "instance.json"):
        assert file.stat().st_mode & 0o077 == 0
    secrets = json.loads((terminal.var / "secrets.json").read_text())
    assert min(len(secrets["SECRET_KEY"]), len(secrets["TAXIMETER_ENGINE_SECRET"])) >= 50


def test_nothing_is_open_to_other_users_of_the_machine(terminal):
    # PostgreSQL under root may run as another user, who passes through these two and sees no names in them.
    passages = {terminal.var, terminal.var / "run"}
    checked = 0
    for path in (terminal.var, *terminal.var.rglob("*")):
        try:
            mode = path.lstat().st_mode
        except FileNotFoundError:  # PostgreSQL's, of the moment
            continue
        if not stat.S_ISLNK(mode):
            checked += 1
            assert mode & (0o066 if path in passages else 0o077) == 0, f"{path} {mode:o}"
    assert checked > 100


def test_a_second_run_says_that_one_is_running_and_how_to_stop_it(terminal):
    second = terminal.launcher("run")
    assert second.returncode == 1
    assert f"already running at http://127.0.0.1:{terminal.port}" in second.stderr
    assert "make stop" in second.stderr
    assert terminal.is_serving()


def test_another_instance_is_refused_the_port_and_told_what_to_do(terminal, someone):
    someone.environment["TAXIMETER_PORT"] = str(terminal.port)
    refused = someone.launcher("run")
    assert refused.returncode == 1
    assert f"Port {terminal.port} is taken by" in refused.stderr
    assert re.search(r"TAXIMETER_PORT=\d+ make run", refused.stderr)
    assert someone.processes() == []
    assert terminal.is_serving()


def test_a_command_typed_by_hand_works_on_the_running_instance(terminal):
    script = "import os, launcher.instance as i; i.adopt_environment(); print(os.environ['DATABASE_URL'])"
    done = subprocess.run(
        [sys.executable, "-c", script], env=terminal.environment, cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip().startswith("postgresql://taximeter@")


def test_whatever_is_killed_is_started_again(terminal):
    before = terminal.pids()
    process.send(before.values(), signal.SIGKILL)

    def is_healed() -> bool:
        now = terminal.pids()
        return set(now) == _PROGRAMS and not set(now.values()) & set(before.values()) and terminal.is_serving()

    assert process.wait_until(is_healed, seconds=90, interval=0.3), terminal.pids()


def test_an_engine_killed_in_mid_stream_serves_again_by_itself(terminal):
    client = openai.OpenAI(base_url=f"http://127.0.0.1:{terminal.port}/v1", api_key=terminal.api_key(), max_retries=0)
    asked: dict[str, Any] = {
        "model": "smollm2-135m-instruct",
        "messages": [{"role": "user", "content": "Tell a story"}],
    }
    client.chat.completions.create(**asked, max_tokens=1)
    stream = client.chat.completions.create(**asked, max_tokens=2000, stream=True)
    for _ in zip(range(5), stream, strict=False):
        pass
    keeper, engine = terminal.engines()
    os.kill(engine, signal.SIGKILL)
    with pytest.raises(openai.APIError, match="not answering"):
        list(stream)

    def answers() -> bool:
        try:
            return bool(client.chat.completions.create(**asked, max_tokens=1).id)
        except openai.APIError:
            return False

    assert process.wait_until(answers, seconds=60, interval=0.1)
    assert terminal.engines()[0] == keeper
    assert terminal.calls() == ["error", "length", "length"]


def test_a_killed_run_leaves_nothing_and_the_next_one_goes_on(someone):
    killed = someone.run()
    left = someone.processes()
    supervisor = next(pid for pid in left if "supervisord" in process.command_of(pid))
    process.send([killed.pid, supervisor], signal.SIGKILL)
    killed.wait(10)
    assert process.wait_until(lambda: not any(map(process.is_alive, left)), seconds=60)
    assert (someone.var / "postgres").is_dir()

    again = someone.run()
    assert someone.is_serving()
    assert "New PostgreSQL cluster" not in someone.said()
    os.killpg(again.pid, signal.SIGINT)  # Ctrl-C reaches every process of the terminal's foreground group
    assert again.wait(60) == 0
    assert "Everything is stopped" in someone.said()
    assert someone.processes() == []


def test_an_ordinary_user_without_a_home_runs_and_stops_it(nobody):
    nobody.run()
    assert nobody.is_serving(), nobody.said()
    assert {os.stat(f"/proc/{pid}").st_uid for pid in nobody.pids().values()} == {65534}
    assert nobody.launcher("stop").stdout.endswith("Everything is stopped.\n")
    assert nobody.processes() == []
    assert not nobody.is_serving()


def test_a_taken_port_is_named_with_its_owner_and_another_one(someone):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", someone.port))
        taken.listen()
        refused = someone.launcher("run")
    assert refused.returncode == 1
    assert f"Port {someone.port} is taken by" in refused.stderr
    assert f"(process {os.getpid()})" in refused.stderr
    assert "TAXIMETER_PORT=" in refused.stderr
    assert someone.processes() == []


def test_a_port_that_is_no_number_is_refused(someone):
    someone.environment["TAXIMETER_PORT"] = "http"
    refused = someone.launcher("run")
    assert (refused.returncode, refused.stderr.strip()) == (
        1,
        "TAXIMETER_PORT must be a port from 1 to 65535, not 'http'.",
    )


def test_a_directory_that_cannot_be_written_is_named(someone):
    someone.environment["TAXIMETER_VAR"] = "/proc/taximeter"
    refused = someone.launcher("run")
    assert refused.returncode == 1
    assert "/proc/taximeter cannot be written" in refused.stderr
    assert "TAXIMETER_VAR=" in refused.stderr


def test_a_program_that_cannot_start_ends_the_run_with_the_end_of_its_log(someone):
    (someone.var / "valkey").mkdir(parents=True)
    (someone.var / "valkey" / "appendonlydir").write_text("in the way of a directory")
    ended = someone.run()
    assert ended.wait(60) == 1
    assert "valkey cannot be kept running" in someone.said()
    assert "appendonlydir" in someone.said()
    assert someone.processes() == []


def test_stopping_what_does_not_run_says_so(someone):
    stopped = someone.launcher("stop")
    assert (stopped.returncode, stopped.stdout) == (0, "Nothing is running.\n")
