"""Files and directories that other users of the machine may not read."""

from __future__ import annotations

from pathlib import Path


def private_directory(path: Path) -> Path:
    """Make `path` and whatever is missing above it, each for this user alone; what is there stays as it is."""
    missing = [one for one in (path, *path.parents) if not one.exists()]
    for one in reversed(missing):
        one.mkdir(mode=0o700, exist_ok=True)
    return path
