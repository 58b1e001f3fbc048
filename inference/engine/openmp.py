"""GNU OpenMP's runtime (libgomp) for the engine, on machines that have none.

The engine's wheel expects the system's `libgomp.so.1`; a machine with nothing but Python may lack it. The
wheel `pykdtree` carries the same library under a name of its own (installed without its dependencies,
for this file only). Loaded under its usual name before the engine is, it serves the engine.
"""

from __future__ import annotations

import ctypes
import importlib.util
import os
import re
from pathlib import Path

_NAME = b"libgomp.so.1"
_BUNDLED = re.compile(rb"libgomp-[0-9a-f]+\.so\.[0-9.]+")


def provide_openmp() -> None:
    """Makes `libgomp.so.1` available to what this process loads next. Without one anywhere nothing happens:
    the engine's own error then says what is missing."""
    try:
        ctypes.CDLL(_NAME.decode(), mode=ctypes.RTLD_GLOBAL)
    except OSError:
        bundled = find_bundled()
        if bundled is not None:
            load_renamed(bundled)


def find_bundled() -> Path | None:
    """The copy of libgomp in an installed wheel, or None."""
    spec = importlib.util.find_spec("pykdtree")
    for folder in (spec.submodule_search_locations or []) if spec else []:
        for path in sorted((Path(folder).parent / "pykdtree.libs").glob("libgomp-*")):
            return path
    return None


def load_renamed(path: Path) -> ctypes.CDLL:
    """Loads the library at `path` as `libgomp.so.1`: the linker goes by the name written in the file."""
    renamed = _BUNDLED.sub(lambda found: _NAME.ljust(len(found[0]), b"\0"), path.read_bytes())
    memory = os.memfd_create("libgomp.so.1")
    with os.fdopen(memory, "wb", closefd=False) as file:
        file.write(renamed)
    return ctypes.CDLL(f"/proc/self/fd/{memory}", mode=ctypes.RTLD_GLOBAL)
