"""PostgreSQL and Valkey for as long as a test run or a benchmark takes, with data that is thrown away."""

from __future__ import annotations

import shutil
import signal
import subprocess
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType

from launcher import process
from launcher.postgres import UNSAFE_BUT_FAST, Cluster
from launcher.valkey import Server


@dataclass
class Services:
    """Both servers below one directory, known by their addresses before they run. Use as a context manager."""

    directory: Path
    durable: bool = False
    postgres: subprocess.Popen[bytes] | None = field(default=None, init=False)
    valkey: subprocess.Popen[bytes] | None = field(default=None, init=False)

    @classmethod
    def temporary(cls, *, durable: bool = False) -> Services:
        """In a new short directory. `durable` writes to disk before it answers, as in production."""
        return cls(Path(tempfile.mkdtemp(prefix="taximeter-")), durable=durable)

    @property
    def cluster(self) -> Cluster:
        return Cluster(self.directory / "postgres", self.directory / "pg", self.directory / "postgres.log")

    @property
    def server(self) -> Server:
        return Server(self.directory / "valkey", self.directory / "valkey.sock", self.directory / "valkey.log")

    @property
    def postgres_url(self) -> str:
        return self.cluster.url()

    @property
    def redis_url(self) -> str:
        return self.server.url()

    def start(self) -> Services:
        self.start_postgres()
        self.cluster.create_database()
        self.start_valkey()
        return self

    def start_postgres(self) -> None:
        """Start PostgreSQL, for the first time or after it was killed."""
        if self.postgres is not None:
            self.postgres.wait(30)
        self.postgres = self.cluster.start(**({} if self.durable else UNSAFE_BUT_FAST))

    def start_valkey(self) -> None:
        """Start Valkey, for the first time or after it was killed."""
        if self.valkey is not None:
            self.valkey.wait(30)
        self.valkey = self.server.start(durable=self.durable)

    def stop(self) -> None:
        """Stop both and remove their data."""
        for server, number in ((self.valkey, signal.SIGTERM), (self.postgres, signal.SIGINT)):
            if server is not None:
                process.stop(server, number=number)
        shutil.rmtree(self.directory, ignore_errors=True)

    def __enter__(self) -> Services:
        try:
            return self.start()
        except BaseException:
            self.stop()
            raise

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
