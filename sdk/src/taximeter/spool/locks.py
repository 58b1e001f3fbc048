"""Advisory locks that the system lets go of when their holder dies, however it dies.

A forked child shares its parent's open files, and with them the locks: it closes them at once, or a log would stay
locked for as long as any child of its dead owner lives.
"""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from taximeter.errors import SpoolError

try:
    import fcntl
except ImportError:  # pragma: no cover - not a POSIX system
    fcntl = None  # type: ignore[assignment]

_guard = threading.RLock()
_descriptors: set[int] = set()


def check_locks() -> None:
    """Raises `SpoolError` where the system has no such locks."""
    if fcntl is None:
        raise SpoolError("the spool needs a POSIX system; use QueueTransport, which keeps events in memory")


def try_lock(path: Path) -> int | None:
    """Locks the file, which it may make; its descriptor, or None where somebody else holds it or it is gone."""
    try:
        descriptor = _open(path)
    except OSError:
        return None
    with contextlib.suppress(OSError):
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        # Whoever held it may have removed it in the meantime: then this is the lock of nothing.
        if os.path.samestat(os.fstat(descriptor), os.stat(path)):
            return descriptor
    unlock(descriptor)
    return None


def unlock(descriptor: int) -> None:
    """Lets go of a lock."""
    with _guard:
        if descriptor in _descriptors:
            _descriptors.discard(descriptor)
            os.close(descriptor)


def is_locked(path: Path) -> bool:
    """Whether somebody holds the lock; False where there is no such file."""
    if not path.exists():
        return False
    try:
        descriptor = _open(path)
    except OSError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        return True
    finally:
        unlock(descriptor)
    return False


@contextmanager
def holding(path: Path) -> Iterator[None]:
    """Waits for the lock and holds it for the block."""
    descriptor = _open(path)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        unlock(descriptor)


def _open(path: Path) -> int:
    with _guard:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        _descriptors.add(descriptor)
        return descriptor


def _after_fork_in_child() -> None:
    global _guard  # noqa: PLW0603 - the parent's may be held by a thread that is not here
    _guard = threading.RLock()
    for descriptor in _descriptors:
        with contextlib.suppress(OSError):
            os.close(descriptor)
    _descriptors.clear()


def _before_fork() -> None:
    _guard.acquire()  # no file is half-way open when the process is copied


def _after_fork_in_parent() -> None:
    _guard.release()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_before_fork, after_in_parent=_after_fork_in_parent, after_in_child=_after_fork_in_child)
