"""The Celery application. It reads Django's settings when it is first used, not when it is imported."""

from __future__ import annotations

import os
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

from celery import Celery
from celery.signals import worker_init

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

app = Celery("taximeter")


@worker_init.connect
def _close_files(**_: Any) -> None:
    os.umask(0o077)  # exports, archives and mail are for this user alone


app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()


def broker_address(url: str) -> str:
    """`url` as Celery's transport writes it: for a unix socket it has a form of its own, unlike redis-py's."""
    parts = urlsplit(url)
    if parts.scheme != "unix":
        return url
    database = parse_qs(parts.query).get("db", ["0"])[-1]
    return f"redis+socket://{parts.path}?{urlencode({'virtual_host': database})}"


@app.on_after_configure.connect
def _translate_broker_address(*, source: Any, **_: Any) -> None:
    source.broker_url = broker_address(source.broker_url)
