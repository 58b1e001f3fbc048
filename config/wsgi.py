"""The WSGI application that the web server's workers load."""

from __future__ import annotations

import ctypes
import multiprocessing
import os
import signal

from django.core.wsgi import get_wsgi_application

from launcher.shim import die_with_parent

if multiprocessing.parent_process() is not None:
    # A worker whose master was killed would keep answering beside its successors.
    die_with_parent(signal.SIGTERM)

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
# Nobody waits for a web answer longer than this; libpq reads it. Workers and commands may take their time.
os.environ.setdefault("PGOPTIONS", "-c lock_timeout=3s -c statement_timeout=30s")


def _give_memory_back() -> None:
    """Have glibc take large pieces, such as bodies, from the system and give them back at once (mallopt(3)).

    Left to itself it keeps some of each for every thread, which under overload comes to a hundred MiB.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_M_MMAP_THRESHOLD, 128 * 1024)
        mallopt(_M_ARENA_MAX, 2)


_M_MMAP_THRESHOLD, _M_ARENA_MAX = -3, -8  # malloc.h
_give_memory_back()

django = get_wsgi_application()

from django.urls import get_resolver  # noqa: E402 - Django comes first

from config.entrance import Entrance  # noqa: E402

# All views now, or each worker's first visitor would wait for them.
_ = get_resolver().url_patterns

application = Entrance(django)
