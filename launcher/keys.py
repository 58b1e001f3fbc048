"""The secrets of this machine: made once, kept in `var/secrets.json` for the owner's eyes only."""

from __future__ import annotations

import json
import os
import secrets
from pathlib import Path

from launcher.errors import LauncherError

_NAMES = ("SECRET_KEY", "TAXIMETER_ENGINE_SECRET")


def load_or_create(file: Path) -> dict[str, str]:
    """The secrets by the names of their variables; those that `file` does not have yet are made and added."""
    try:
        known = json.loads(file.read_text())
        if not isinstance(known, dict) or not all(isinstance(value, str) for value in known.values()):
            raise ValueError("not an object of strings")
    except FileNotFoundError:
        known = {}
    except (ValueError, OSError) as error:
        raise LauncherError(
            f"{file} cannot be read ({error}). Restore it, or remove it to have new secrets made; "
            "whoever is signed in has to sign in again then."
        ) from error
    missing = {name: secrets.token_urlsafe(48) for name in _NAMES if name not in known}
    if missing:
        write_private(file, json.dumps(known | missing, indent=1))
    return known | missing


def write_private(file: Path, text: str) -> None:
    """Replace `file` by `text` at once, readable by its owner only."""
    unfinished = file.with_name(f".{file.name}.{os.getpid()}")
    unfinished.unlink(missing_ok=True)
    with os.fdopen(os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as writing:
        writing.write(text)
    unfinished.rename(file)
