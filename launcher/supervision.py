"""Supervisor (supervisord.org) keeps the processes running: its configuration, and talking to it."""

from __future__ import annotations

import math
import os
import shlex
import sys
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from http.client import HTTPException
from typing import Any
from xmlrpc.client import Error, ServerProxy

from supervisor.xmlrpc import SupervisorTransport

from launcher import process
from launcher.errors import LauncherError
from launcher.paths import ROOT, Layout


@dataclass(frozen=True, slots=True)
class Program:
    """One process that is kept running. `stop_seconds` after being asked to stop it is killed.

    When supervisord ends, it stops the programs of one group together, and the groups one after the other.
    """

    name: str
    group: str
    command: Sequence[str]
    stop_signal: str = "TERM"
    stop_seconds: int = 10


#: After so many failed starts of a program a run is given up before it has begun.
_MOST_FAILED_STARTS = 3

_HEAD = """\
[supervisord]
nodaemon = true
silent = true
logfile = {logs}/supervisord.log
logfile_maxbytes = 5MB
logfile_backups = 2
pidfile = {run}/supervisord.pid
childlogdir = {logs}
directory = {root}
identifier = taximeter
{user}
[unix_http_server]
file = {sockets}/supervisor.sock
chmod = 0700

[rpcinterface:supervisor]
supervisor.rpcinterface_factory = supervisor.rpcinterface:make_main_rpcinterface
"""

_GROUP = """
[group:{group}]
programs = {names}
priority = {priority}
"""

_PROGRAM = """
[program:{name}]
command = {command}
autostart = false
autorestart = true
startsecs = 2
startretries = 10
stopsignal = {stop_signal}
stopwaitsecs = {stop_seconds}
killasgroup = true
redirect_stderr = true
stdout_logfile = {log}
stdout_logfile_maxbytes = 10MB
stdout_logfile_backups = 3
"""


def configuration(layout: Layout, programs: Sequence[Program]) -> str:
    """Supervisor's configuration. Groups are stopped in the reverse of their order here."""

    def escaped(value: object) -> str:
        return str(value).replace("%", "%%")

    places = {"logs": layout.logs, "run": layout.run, "root": ROOT, "sockets": layout.sockets}
    user = "user = root\n" if os.geteuid() == 0 else ""  # it warns of root unless told that root is meant
    head = _HEAD.format(user=user, **{name: escaped(place) for name, place in places.items()})
    sections = [
        _PROGRAM.format(
            name=program.name,
            command=escaped(shlex.join(program.command)),
            stop_signal=program.stop_signal,
            stop_seconds=program.stop_seconds,
            log=escaped(layout.logs / f"{program.name}.log"),
        )
        for program in programs
    ]
    for place, group in enumerate(dict.fromkeys(program.group for program in programs)):
        names = ",".join(program.name for program in programs if program.group == group)
        sections.append(_GROUP.format(group=group, names=names, priority=10 * (place + 1)))
    return head + "".join(sections)


class Supervisor:
    """A running supervisord with `programs`, none of them started yet."""

    def __init__(self, layout: Layout, programs: Sequence[Program], environment: Mapping[str, str]) -> None:
        self._logs = layout.logs
        self._socket = layout.sockets / "supervisor.sock"
        file = layout.run / "supervisord.conf"
        file.write_text(configuration(layout, programs))
        self._socket.unlink(missing_ok=True)
        self._process = process.start(
            [sys.executable, "-m", "supervisor.supervisord", "-c", file],
            log=layout.logs / "supervisord.out",
            environment=environment,
            cwd=ROOT,
        )
        if (
            not process.wait_until(lambda: not self.is_running() or self._answers(), seconds=300)
            or not self.is_running()
        ):
            self.kill()
            log = layout.logs / "supervisord.out"
            raise LauncherError(f"Supervisor did not start. The end of {log}:\n{process.tail(log)}")

    def is_running(self) -> bool:
        return self._process.poll() is None

    def states(self) -> dict[str, str]:
        """Each program's state: STOPPED, STARTING, RUNNING, BACKOFF, STOPPING, EXITED, FATAL or UNKNOWN."""
        return {info["name"]: info["statename"] for info in self._call("getAllProcessInfo")}

    def pids(self) -> dict[str, int]:
        """Each program's process, 0 for one that does not run."""
        return {info["name"]: info["pid"] for info in self._call("getAllProcessInfo")}

    def start(self, programs: Sequence[Program]) -> None:
        for program in programs:
            self._call("startProcess", f"{program.group}:{program.name}", False)

    def stop(self, programs: Sequence[Program]) -> None:
        """Ask all of `programs` to stop, together, and wait until they have."""
        names = {program.name for program in programs}
        for program in programs:
            if self.states().get(program.name) in {"STARTING", "RUNNING", "BACKOFF"}:
                self._call("stopProcess", f"{program.group}:{program.name}", False)
        process.wait_until(
            lambda: all(
                state not in {"STARTING", "RUNNING", "STOPPING"}
                for name, state in self.states().items()
                if name in names
            ),
            seconds=max((program.stop_seconds for program in programs), default=0) + 10,
        )

    def wait_until(self, condition: Callable[[], bool]) -> None:
        """Wait until `condition` comes true. `LauncherError` for a program that does not start.

        Later, supervisord itself tries for a minute, as what a program needs may be restarting too.
        """
        before: dict[str, str] = {}
        failures: Counter[str] = Counter()

        def is_settled() -> bool:
            states = self.states()
            failures.update(name for name, state in states.items() if state == "BACKOFF" != before.get(name))
            before.update(states)
            for name in states:
                if failures[name] >= _MOST_FAILED_STARTS:
                    raise self._given_up(name)
            self.require_none_given_up()
            return condition()

        process.wait_until(is_settled, seconds=math.inf, interval=0.2)

    def require_none_given_up(self) -> None:
        """`LauncherError` with the end of its log where a program exited again and again."""
        for name, state in self.states().items():
            if state == "FATAL":
                raise self._given_up(name)

    def _given_up(self, name: str) -> LauncherError:
        log = self._logs / f"{name}.log"
        return LauncherError(f"{name} cannot be kept running. The end of {log}:\n{process.tail(log)}")

    def shut_down(self, *, seconds: float) -> None:
        """Stop what still runs, last started first, and then supervisord itself."""
        process.stop(self._process, seconds=seconds)

    def kill(self) -> None:
        process.stop(self._process, seconds=0)

    def _answers(self) -> bool:
        try:
            return bool(self._call("getState"))
        except (OSError, LauncherError):
            return False

    def _call(self, method: str, *arguments: object) -> Any:
        """Call supervisord; `LauncherError` when it is gone, or cannot do it."""
        transport = SupervisorTransport(None, None, f"unix://{self._socket}")
        try:
            with ServerProxy("http://127.0.0.1", transport=transport) as server:
                return getattr(server.supervisor, method)(*arguments)
        except (OSError, Error, HTTPException) as error:
            raise LauncherError(f"Supervisor cannot {method} {arguments}: {error}") from error
        finally:
            transport.close()
