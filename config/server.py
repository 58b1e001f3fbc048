"""The RSGI application that the web server's workers load: Django behind admission control."""

from __future__ import annotations

import ctypes
import multiprocessing
import os
import resource
import signal
from typing import Any

from django.core.wsgi import get_wsgi_application

from launcher.shim import die_with_parent

if multiprocessing.parent_process() is not None:
    # A worker whose master was killed would keep answering beside its successors.
    die_with_parent(signal.SIGTERM)

os.umask(0o077)  # what a worker writes is for this user alone
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

# Each connection is a descriptor; the usual soft limit is far below what the system allows.
_most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
resource.setrlimit(resource.RLIMIT_NOFILE, (_most, _most))

django: Any = get_wsgi_application()

from django.conf import settings  # noqa: E402 - Django comes first
from django.urls import get_resolver  # noqa: E402

from config.admission import Admission  # noqa: E402
from config.limits import RequestLimit  # noqa: E402

# All views now, or each worker's first visitor would wait for them.
_ = get_resolver().url_patterns

_per_minute = settings.REQUESTS_PER_MINUTE
_limit = RequestLimit(_per_minute, redis_url=settings.REDIS_URL) if _per_minute else None
application = Admission(django, limit=_limit)
