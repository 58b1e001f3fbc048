"""Where one instance keeps its data, logs, sockets and secrets."""

from __future__ import annotations

import hashlib
import os
import re
import stat
import tempfile
from dataclasses import dataclass
from pathlib import Path

from launcher.errors import LauncherError

ROOT = Path(__file__).resolve().parent.parent
#: Where an instance keeps its data unless told otherwise: a checkout in itself, an installed package where it is run.
HOME = ROOT if (ROOT / "pyproject.toml").exists() else Path.cwd()

#: A unix socket's path holds 107 bytes at most (`sun_path` in linux/un.h, 103 on macOS). The longest name
#: put below the run directory is `pg/.s.PGSQL.5432.lock`; what follows leaves room for it.
_LONGEST_SOCKET_DIRECTORY = 80


@dataclass(frozen=True, slots=True)
class Layout:
    """The directories of one instance. `var` is `TAXIMETER_VAR`, by default `var/` in `HOME`."""

    var: Path

    @classmethod
    def from_environment(cls) -> Layout:
        return cls(Path(os.environ.get("TAXIMETER_VAR") or HOME / "var").resolve())

    @property
    def postgres(self) -> Path:
        return self.var / "postgres"

    @property
    def valkey(self) -> Path:
        return self.var / "valkey"

    @property
    def logs(self) -> Path:
        return self.var / "log"

    @property
    def run(self) -> Path:
        """Lock, process record and configuration of the running instance."""
        return self.var / "run"

    @property
    def sockets(self) -> Path:
        """Unix sockets: below `run`, or in the temporary directory where that path would be too long or unusual."""
        text = str(self.run)
        if len(os.fsencode(text)) <= _LONGEST_SOCKET_DIRECTORY and re.fullmatch(r"[\w./-]+", text, re.ASCII):
            return self.run
        digest = hashlib.sha256(os.fsencode(text)).hexdigest()[:10]
        return Path(tempfile.gettempdir()) / f"taximeter-{os.getuid()}-{digest}"

    def create(self) -> None:
        """Make what is missing, closed to other users, and close what an earlier version left open.

        `LauncherError` where the file system, or another user, does not allow it.
        """
        try:
            is_ours = not self.var.exists() or (self.var / "secrets.json").exists()
            for directory in (self.var, self.logs, self.run, self.sockets, self.valkey):
                directory.mkdir(parents=True, exist_ok=True, mode=0o700)
                if directory == self.sockets:  # before it is closed: others may have put something there
                    self._refuse_foreign_sockets()
                if directory != self.var or is_ours:  # and no directory such as /srv that is used for more
                    _close(directory)
            probe = self.run / ".writable"
            probe.write_bytes(b"")
            probe.unlink()
        except OSError as error:
            raise LauncherError(
                f"{error.filename or self.var} cannot be written ({error.strerror}). Taximeter keeps its data there; "
                "make it writable for this user, or choose another place with TAXIMETER_VAR=/some/directory."
            ) from error

    def _refuse_foreign_sockets(self) -> None:
        found = self.sockets.lstat()
        if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid() or found.st_mode & 0o022:
            raise LauncherError(
                f"{self.sockets} belongs to somebody else or is open to others; remove it and try again."
            )


def _close(directory: Path) -> None:
    """Take a directory of ours from other users. What is below cannot be reached then, whatever its own mode is."""
    found = directory.stat()
    # To pass is left where PostgreSQL runs as another user (`launcher.postgres`); that shows no names.
    if found.st_uid == os.geteuid() and found.st_mode & 0o066:
        directory.chmod(0o700)
