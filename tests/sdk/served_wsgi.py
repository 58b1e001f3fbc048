"""A web application that meters, for gunicorn with `--preload`: the meter is made, and used, before the workers are."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from typing import Any

from taximeter import Meter, SpoolTransport

meter = Meter(
    source="web", transport=SpoolTransport(os.environ["RECEIVER"], api_key="k", directory=os.environ["SPOOL"])
)
meter.record("started", None, {"process": os.getpid()}, id=f"started-{os.getpid()}")


def application(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    name = environ["PATH_INFO"].strip("/")
    with meter.task("answer", customer="acme", agent="web", task_id=name) as task:
        with task.turn():
            pass
        task.succeed()
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [str(os.getpid()).encode()]
