"""What an instance consists of: its environment and its processes."""

from __future__ import annotations

import os
import resource
import sys
from pathlib import Path
from typing import NoReturn

from launcher import checks, instance, keys
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
    # Clients connect to this web server directly, unless a proxy is configured.
    direct = {} if os.environ.get("TAXIMETER_PROXIES") else {"TAXIMETER_TRUSTED_PROXIES": "none"}
    own = {
        "TAXIMETER_ENV": "development",
        "TAXIMETER_VAR": str(layout.var),
        "TAXIMETER_ENGINE_SOCKET": str(layout.sockets / "engine.sock"),
        "DATABASE_URL": cluster(layout).url(),
        "REDIS_URL": valkey(layout).url(),
        "TAXIMETER_PUBLIC_URL": checks.address(checks.host_from_environment(), checks.port_from_environment()),
        **direct,
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


#: Open connections of one process of the web server, as far as the machine allows so many descriptors.
_MOST_CONNECTIONS = 8192


def web_server(*, host: str, port: int, workers: int = 2) -> list[str]:
    """The web server's command. How many requests are at work is up to `config.admission`.

    HTTP/1.1 only: with HTTP/2 beside it, a connection that never says which it speaks would stay open for ever.
    """
    descriptors = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    connections = _MOST_CONNECTIONS if descriptors < 0 else min(_MOST_CONNECTIONS, max(descriptors - 256, 128))
    command = [sys.executable, "-m", "granian", "--interface", "rsgi", "--host", host, "--port", str(port)]
    command += ["--http", "1", "--http1-header-read-timeout", "20000", "--no-ws"]
    command += ["--workers", str(workers), "--backlog", "4096", "--backpressure", str(connections)]
    command += ["--respawn-failed-workers", "--workers-kill-timeout", "5", "config.server:application"]
    return command


def port_socket(layout: Layout) -> Path:
    """Where the web server gets the socket that listens on the instance's port."""
    return layout.sockets / "port.sock"


def application_programs(*, host: str, port: int, port_socket: Path | None = None) -> list[Program]:
    """Taximeter's own processes. With `port_socket` the web server listens on what is handed out there."""
    web = web_server(host=host, port=port)
    if port_socket is not None:
        web = [web[0], "-m", "launcher.web", str(port_socket), *web[1:]]
    celery = [sys.executable, "-m", "celery", "-A", "config"]
    worker = [*celery, "worker", "--concurrency", "2", "--loglevel", "info", "--without-gossip", "--without-mingle"]
    beat = [*celery, "beat", "--loglevel", "info", "--pidfile="]  # none, as a killed beat's would stop the next
    return [
        Program("engine", "applications", shimmed(manage("run_engine"))),
        Program("web", "applications", shimmed(web)),
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
