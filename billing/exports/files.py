"""Files that appear whole or not at all."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def written_together(paths: Sequence[Path]) -> Iterator[list[Path]]:
    """Temporary files beside `paths` to write to; they take their places when the block ends well, else they go.

    Who reads a file while it is replaced sees the old one or the new one.
    """
    temporary: list[Path] = []
    try:
        for path in paths:
            descriptor, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".tmp", dir=path.parent)
            os.fchmod(descriptor, 0o666 & ~_umask())
            os.close(descriptor)
            temporary.append(Path(name))
        yield temporary
        for name in temporary:
            with name.open("rb") as written:
                os.fsync(written.fileno())
        for name, path in zip(temporary, paths, strict=True):
            name.replace(path)
    finally:
        for name in temporary:
            name.unlink(missing_ok=True)


def _umask() -> int:
    mask = os.umask(0o077)
    os.umask(mask)
    return mask
