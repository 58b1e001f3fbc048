"""What the environment says: where to send, with which key, and where the spool is.

TAXIMETER_URL         the server, for instance https://taximeter.example
TAXIMETER_API_KEY     a key with the scope `ingest`
TAXIMETER_SPOOL       a directory for the spool; otherwise one for each source under the user's state directory
TAXIMETER_ENVIRONMENT `production` or `test`, written into every event; tests are not billed

All of it concerns only a meter that is given no transport.
"""

from __future__ import annotations

import os
import re
import tempfile
from pathlib import Path

from taximeter.errors import ConfigurationError
from taximeter.transports.spool import SpoolTransport

URL, API_KEY, SPOOL, ENVIRONMENT = "TAXIMETER_URL", "TAXIMETER_API_KEY", "TAXIMETER_SPOOL", "TAXIMETER_ENVIRONMENT"


def spool_transport(source: str) -> SpoolTransport:
    """A spool as the environment says; raises `ConfigurationError` where it does not say enough."""
    missing = [name for name in (URL, API_KEY) if not os.environ.get(name)]
    if missing:
        raise ConfigurationError(
            f"{' and '.join(missing)} not set: set what is missing, or give the meter a transport, "
            "for instance InMemoryTransport() in tests"
        )
    try:
        return SpoolTransport(os.environ[URL], api_key=os.environ[API_KEY], directory=spool_directory(source))
    except ValueError as error:
        raise ConfigurationError(f"{URL}: {error}") from None


def spool_directory(source: str) -> Path:
    """Where the spool of `source` is: by default its own, since another source may send to another server."""
    if os.environ.get(SPOOL):
        return Path(os.environ[SPOOL])
    return _state_directory() / "taximeter" / "spool" / re.sub(r"[^A-Za-z0-9._-]+", "-", source).strip(".-")[:100]


def default_spools() -> list[Path]:
    """The spools of this user that no setting names."""
    return sorted(path.parent for path in (_state_directory() / "taximeter" / "spool").glob("*/FORMAT"))


def _state_directory() -> Path:
    """`$XDG_STATE_HOME` (https://specifications.freedesktop.org/basedir-spec/), or what stands for it."""
    if os.environ.get("XDG_STATE_HOME"):
        return Path(os.environ["XDG_STATE_HOME"])
    try:
        return Path.home() / ".local" / "state"
    except RuntimeError:  # a user without a home
        return Path(tempfile.gettempdir()) / f"taximeter-{os.getuid()}"
