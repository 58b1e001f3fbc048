"""`make run`: everything started in order, the demo played, and all of it ended with this process."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from types import FrameType

from rich.console import Console

from launcher import checks, held_port, instance, process, programs
from launcher.errors import LauncherError
from launcher.paths import ROOT, Layout
from launcher.supervision import Supervisor
from launcher.waiting import Wait

_SILENT = "the web server to answer"

#: How often the supervisor itself is started again after it was killed, before something must be badly wrong.
_MOST_RESTARTS = 5


def run(layout: Layout) -> None:
    """Start the instance, play the demo and serve until interrupted. `LauncherError` where that cannot be done."""
    end_on_signals()
    host, port = checks.host_from_environment(), checks.port_from_environment()
    layout.create()
    console = Console()
    with instance.locked(layout):
        runner = Runner(layout, console, host=host, port=port)
        try:
            runner.start()
            runner.play_demo()
            runner.serve()
        except KeyboardInterrupt:
            console.print()
        finally:
            runner.stop()


class Runner:
    """One run of the instance, from its checks to its end."""

    def __init__(self, layout: Layout, console: Console, *, host: str, port: int) -> None:
        self.layout = layout
        self.console = console
        self.host, self.port = host, port
        self.address = checks.address(host, port)
        self.environment: dict[str, str] = {}
        self.services = programs.service_programs(layout)
        port_socket = programs.port_socket(layout)
        self.applications = programs.application_programs(host=host, port=port, port_socket=port_socket)
        self._holding = ExitStack()
        self._show: Callable[[str], None] = lambda more: None
        self.supervisor: Supervisor | None = None

    def start(self) -> None:
        """From nothing to an answering web server."""
        self._recover()
        checks.require_disk_space(self.layout.var)
        checks.require_model()
        listener = checks.take_port(self.host, self.port)
        self._holding.enter_context(held_port.handed_out(listener, programs.port_socket(self.layout)))
        self.environment = programs.environment(self.layout)
        own = programs.own_settings(self.layout)
        pid = os.getpid()
        instance.write_record(self.layout, instance.Record(pid, process.started_at(pid), self.address, own))
        self._start_services()
        with self._step("Database schema"):
            # Django's checks are for those who change the code, and take as long as the tables do.
            self._manage("migrate", "--verbosity", "0", "--skip-checks")
        self._start_applications()

    def play_demo(self) -> None:
        """Let the demo play, in this terminal. Its failing is no reason to end the instance."""
        if os.environ.get("TAXIMETER_DEMO", "").strip() == "0":
            return
        demo = programs.manage("play_demo", "--address", self.address)
        done = subprocess.run(process.shimmed(demo), env=self.environment, cwd=ROOT, check=False)
        if done.returncode:
            self.console.print(f"[yellow]The demo ended with status {done.returncode}; Taximeter keeps serving.[/]")

    def serve(self) -> None:
        """Watch over the instance. Ends by an interruption, or by `LauncherError` when it cannot be kept running."""
        told = f"\nServing at {self.address} · logs in {self.layout.logs} · Ctrl-C or make stop ends it"
        self.console.print(told, soft_wrap=True, highlight=False)
        restarts = 0
        has_terminal = os.isatty(1)
        while True:
            time.sleep(1)
            if has_terminal and not os.isatty(1):  # closed, with make in the place that was told of it
                signal.raise_signal(signal.SIGHUP)
            if self._is_supervised():
                continue
            restarts += 1
            if restarts > _MOST_RESTARTS:
                raise LauncherError(f"Supervisor was ended {restarts} times; see {self.layout.logs}/supervisord.log.")
            self.console.print("[yellow]The supervisor was killed. Starting everything again.[/]")
            process.end_tagged(instance.tag(self.layout), seconds=30)
            self._start_services()
            self._start_applications()

    def stop(self) -> None:
        """End every process of this instance. A second Ctrl-C ends them at once."""
        began = time.monotonic()
        tag = instance.tag(self.layout)
        try:
            if self.supervisor is not None:
                with self._step("Stopping"):
                    self._stop_in_order(self.supervisor)
        except (KeyboardInterrupt, LauncherError):
            process.send(process.tagged(tag), signal.SIGKILL)
        finally:
            _ignore_signals()
            process.end_tagged(tag, seconds=10)
            self._holding.close()
            instance.remove_record(self.layout)
        if self.supervisor is not None:
            self.console.print(f"Everything is stopped ({time.monotonic() - began:.1f} s).", highlight=False)

    @property
    def _supervisor(self) -> Supervisor:
        assert self.supervisor is not None, "nothing is started yet"
        return self.supervisor

    def _is_supervised(self) -> bool:
        """Whether the supervisor is there; `LauncherError` where it has given a program up."""
        try:
            self._supervisor.require_none_given_up()
        except LauncherError:
            if self._supervisor.is_running():
                raise
        return self._supervisor.is_running()

    def _recover(self) -> None:
        """End what a killed predecessor may have left; normally the kernel has done so already."""
        tag = instance.tag(self.layout)
        left = process.tagged(tag)
        if left:
            self.console.print(f"An earlier run was killed and left {len(left)} processes; ending them.")
            if not process.end_tagged(tag, seconds=30):
                raise LauncherError(f"Processes {process.tagged(tag)} of an earlier run cannot be ended.")

    def _start_services(self) -> None:
        layout = self.layout
        if programs.is_embedded("DATABASE_URL") and not programs.cluster(layout).is_created():
            with self._step("New PostgreSQL cluster"):
                programs.cluster(layout).prepare()
        with self._step("PostgreSQL and Valkey"):
            self.supervisor = Supervisor(layout, [*self.services, *self.applications], self.environment)
            self.supervisor.start(self.services)
            self._wait(self._missing_services)
            if programs.is_embedded("DATABASE_URL"):
                programs.cluster(layout).create_database()

    def _missing_services(self) -> dict[str, str]:
        """What is waited for, by the name of its program; empty once all are there."""
        missing = {}
        if not programs.is_embedded("DATABASE_URL"):
            checks.require_database(self.environment["DATABASE_URL"])
        elif not programs.cluster(self.layout).is_ready():
            missing["postgres"] = "PostgreSQL to take connections"
        if not programs.is_embedded("REDIS_URL"):
            checks.require_redis(self.environment["REDIS_URL"])
        elif not programs.valkey(self.layout).is_ready():
            missing["valkey"] = "Valkey to answer"
        return missing

    def _start_applications(self) -> None:
        with self._step("Engine, web server, worker and schedule"):
            self._supervisor.start(self.applications)
            self._wait(self._missing_applications)

    def _missing_applications(self) -> dict[str, str]:
        states = self._supervisor.states()
        names = [program.name for program in self.applications]
        missing = {name: f"{name} to start" for name in names if states[name] != "RUNNING"}
        if "engine" not in missing and not checks.is_listening(self.environment["TAXIMETER_ENGINE_SOCKET"]):
            missing["engine"] = "the engine to load its model"
        if "web" not in missing and (reason := self._web_is_missing()):
            missing["web" if reason == _SILENT else "answer of the web server"] = reason
        return missing

    def _web_is_missing(self) -> str | None:
        """What the web server lacks, or None where it is ready."""
        host = os.environ.get("ALLOWED_HOSTS", "").split(",")[0].strip().lstrip(".*") or "localhost"
        request = urllib.request.Request(f"{self.address}/readyz", headers={"Host": host})  # noqa: S310
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310 - our own http address
                return None if answer.status == 200 else f"the web server, which answers {answer.status}"
        except urllib.error.HTTPError as error:
            return f"the web server, which answers {error.code}: {error.read(500).decode(errors='replace')}"
        except OSError:
            return _SILENT

    def _wait(self, missing: Callable[[], dict[str, str]]) -> None:
        """Until nothing is `missing`; `LauncherError` when a program does not start, or does nothing for long."""
        supervisor = self._supervisor
        is_told = not self.console.is_terminal  # by lines, where the step cannot show it
        wait = Wait(
            pids=supervisor.pids, logs=self.layout.logs, tell=self.console.print if is_told else lambda text: None
        )

        def is_over() -> bool:
            left = missing()
            if left:
                wait.note(left)
            self._show(f" (waiting for {', '.join(left.values())})" if left else "")
            return not left

        supervisor.wait_until(is_over)

    def _stop_in_order(self, supervisor: Supervisor) -> None:
        if supervisor.is_running():
            supervisor.stop(self.applications)
            supervisor.stop(self.services)
            supervisor.shut_down(seconds=90)

    def _manage(self, *arguments: str) -> None:
        command = process.shimmed(programs.manage(*arguments))
        done = subprocess.run(command, env=self.environment, cwd=ROOT, capture_output=True, text=True, check=False)
        if done.returncode:
            said = (done.stdout + done.stderr).strip().splitlines()[-25:]
            raise LauncherError(f"manage.py {' '.join(arguments)} failed:\n" + "\n".join(said))

    @contextmanager
    def _step(self, title: str) -> Iterator[None]:
        """Show that `title` is being worked on, and how long it took."""
        began = time.monotonic()
        with self.console.status(f"{title} …") as status:
            self._show = lambda more: status.update(f"{title} …{more}")
            yield
        self.console.print(f"[green]✓[/] {title} [dim]{time.monotonic() - began:.1f} s[/]", highlight=False)


def stop(layout: Layout) -> None:
    """End the running instance, from another terminal; also what a killed one may have left."""
    tag = instance.tag(layout)
    record = instance.read_record(layout)
    if record is None and not instance.is_locked(layout) and not process.tagged(tag):
        print("Nothing is running.")
        return
    if record is not None:
        process.send([record.pid], signal.SIGTERM)
        process.wait_until(lambda: not process.is_alive(record.pid), seconds=120)
        process.send([record.pid] if record.is_of_running_process() else [], signal.SIGKILL)
    if not process.end_tagged(tag, seconds=20):
        raise LauncherError(f"Processes {process.tagged(tag)} do not end; they may belong to another user.")
    print("Everything is stopped.")


def reset(layout: Layout) -> None:
    """Stop, and remove all data of this instance."""
    stop(layout)
    if layout.var.exists():
        shutil.rmtree(layout.var)
    if layout.sockets.exists():
        shutil.rmtree(layout.sockets)
    print(f"All data in {layout.var} is removed.")


def status(layout: Layout) -> None:
    """Say what is running."""
    record = instance.read_record(layout)
    if record is None:
        print("Nothing is running.")
        return
    print(f"Taximeter runs at {record.address} (process {record.pid}).")
    for pid in sorted(process.tagged(instance.tag(layout))):
        print(f"{pid:>8}  {process.command_of(pid)[:100]}")


def end_on_signals() -> None:
    """A terminal that closes, or `make stop`, ends the run as Ctrl-C does, once: make passes the signal on again."""

    def interrupt(number: int, _frame: FrameType | None) -> None:
        if number != signal.SIGINT:
            signal.signal(number, signal.SIG_IGN)
        if number == signal.SIGHUP:  # there is no terminal to print to any more
            nowhere = os.open(os.devnull, os.O_RDWR)
            os.dup2(nowhere, 1)
            os.dup2(nowhere, 2)
        raise KeyboardInterrupt

    for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
        if number != signal.SIGHUP or signal.getsignal(number) != signal.SIG_IGN:  # not under nohup
            signal.signal(number, interrupt)


def _ignore_signals() -> None:
    for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
        signal.signal(number, signal.SIG_IGN)
