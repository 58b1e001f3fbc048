"""A Celery application that meters in its tasks, for a prefork worker."""

from __future__ import annotations

import os

from celery import Celery
from taximeter import Meter, SpoolTransport

app = Celery("served", broker=os.environ["BROKER"])
app.conf.task_default_queue = "sdk-tests"
meter = Meter(
    source="worker", transport=SpoolTransport(os.environ["RECEIVER"], api_key="k", directory=os.environ["SPOOL"])
)
meter.record("started", None, {"process": os.getpid()}, id=f"started-{os.getpid()}")


@app.task(name="work")
def work(headers: dict[str, str]) -> None:
    with meter.continue_task(headers) as task:
        with task.turn() as turn:
            turn.tool_call("search", process=os.getpid())
        task.succeed()
