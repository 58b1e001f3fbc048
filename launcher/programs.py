"""What an instance consists of: its environment and its processes."""

from __future__ import annotations

import os
import sys
from typing import NoReturn

from launcher import instance, keys
from launcher.paths import ROOT, Layout
from launcher.postgres import Cluster
from launcher.process import TAG, shimmed
from launcher.supervision import Program
from launcher.valkey import Server


def cluster(layout: Layout) -> Cluster:
    return Cluster(layout.postgres, layout.sockets / "pg", layout.logs / "postgres.log")


def valkey(layout: Layout) -> Server:
    return Server(layout.valkey, layout.sockets / "valkey.sock", layout.logs / "valkey.log")


def own_settings(layout: Layout) -> dict[str, str]:
    """The variables that Taximeter sets for itself, each only where the caller's environment does not."""
    own = {
        "TAXIMETER_ENV": "development",
        "TAXIMETER_VAR": str(layout.var),
        "TAXIMETER_ENGINE_SOCKET": str(layout.sockets / "engine.sock"),
        "DATABASE_URL": cluster(layout).url(),
        "REDIS_URL": valkey(layout).url(),
        **keys.load_or_create(layout.var / "secrets.json"),
    }
    return {name: os.environ.get(name) or value for name, value in own.items()}


def environment(layout: Layout) -> dict[str, str]:
    """The whole environment of the instance's processes."""
    return {
        **os.environ,
        **own_settings(layout),
        "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "sdk" / "src")]),
        "PYTHONUNBUFFERED": "1",
        TAG: instance.tag(layout),
    }


def manage(*arguments: str) -> list[str]:
    return [sys.executable, str(ROOT / "manage.py"), *arguments]


def is_embedded(variable: str) -> bool:
    """Whether the server behind `DATABASE_URL` or `REDIS_URL` is ours to start."""
    return not os.environ.get(variable)


def service_programs(layout: Layout) -> list[Program]:
    """The embedded servers, those that are not somebody else's."""
    serve_postgres = [sys.executable, "-m", "launcher", "serve-postgres"]
    servers = {
        # Not through the shim here: the command prepares the cluster first, and then uses the shim itself.
        "DATABASE_URL": Program("postgres", "services", serve_postgres, stop_signal="INT", stop_seconds=60),
        "REDIS_URL": Program("valkey", "services", shimmed(valkey(layout).command()), stop_seconds=20),
    }
    return [program for variable, program in servers.items() if is_embedded(variable)]


def web_server(*, host: str, port: int, workers: int = 2) -> list[str]:
    """The web server's command. Its threads mostly wait; how many of them work is up to `config.entrance`."""
    command = [sys.executable, "-m", "granian", "--interface", "wsgi", "--host", host, "--port", str(port)]
    command += ["--workers", str(workers), "--blocking-threads", "384", "--backlog", "4096", "--backpressure", "2048"]
    command += ["--respawn-failed-workers", "--workers-kill-timeout", "5", "--no-ws", "config.wsgi:application"]
    return command


def application_programs(*, host: str, port: int) -> list[Program]:
    """Taximeter's own processes."""
    celery = [sys.executable, "-m", "celery", "-A", "config"]
    worker = [*celery, "worker", "--concurrency", "2", "--loglevel", "info", "--without-gossip", "--without-mingle"]
    beat = [*celery, "beat", "--loglevel", "info", "--pidfile="]  # none, as a killed beat's would stop the next
    return [
        Program("engine", "applications", shimmed(manage("run_engine"))),
        Program("web", "applications", shimmed(web_server(host=host, port=port))),
        Program("worker", "applications", shimmed(worker), stop_seconds=15),
        Program("beat", "applications", shimmed(beat)),
    ]


def serve_postgres(layout: Layout) -> NoReturn:
    """Become the PostgreSQL server of this instance, recovering from a killed one first."""
    server = cluster(layout)
    identity = server.prepare()
    command = shimmed(server.command(), stop_signal="INT", identity=identity)
    os.chdir("/")
    os.execv(command[0], command)  # noqa: S606 - supervised under this process's own number
