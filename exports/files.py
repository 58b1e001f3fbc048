"""Files that appear whole or not at all, and archives without a time in them."""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from zipfile import ZIP_DEFLATED, ZIP_STORED, ZipFile, ZipInfo

from kernel.files import private_directory

#: What a zip archive counts from; it knows no zones.
EPOCH = (1980, 1, 1, 0, 0, 0)

_COMPRESSED = (".xlsx", ".parquet")


@contextmanager
def directory_aside(directory: Path, name: str = "export") -> Iterator[Path]:
    """A directory beside the files of `directory` to write to; it goes when the block ends."""
    private_directory(directory)
    aside = Path(tempfile.mkdtemp(prefix=f".{name}.", suffix=".tmp", dir=directory))
    try:
        yield aside
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def remove_asides(directory: Path, name: str) -> None:
    """Remove what those left who were killed while they wrote aside; nobody else may be at it now."""
    for left in directory.glob(f".{name}.*.tmp"):
        shutil.rmtree(left, ignore_errors=True)


def synced(directory: Path) -> list[Path]:
    """The files of a directory, all of them on disk, in the order of their names."""
    found = sorted(path for path in directory.iterdir() if path.is_file())
    for path in found:
        path.chmod(0o600)
        with path.open("rb") as written:
            os.fsync(written.fileno())
    return found


def sha256_of(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def timeless_member(name: str) -> ZipInfo:
    """A member of a zip archive that is of 1 January 1980."""
    member = ZipInfo(name.lstrip("/"), EPOCH)
    member.compress_type = ZIP_STORED if name.endswith(_COMPRESSED) else ZIP_DEFLATED
    return member


def write_archive(path: Path, members: Sequence[Path]) -> None:
    """A zip of `members`, of which no byte depends on when it was made."""
    with ZipFile(path, "w") as archive:
        for one in members:
            with one.open("rb") as source, archive.open(_named(one), "w", force_zip64=True) as target:
                shutil.copyfileobj(source, target, 1 << 20)


def _named(path: Path) -> Any:
    return timeless_member(path.name)
