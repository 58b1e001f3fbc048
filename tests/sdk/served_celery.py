"""A Celery application that meters in its tasks, for a prefork worker."""

from __future__ import annotations

import os

from celery import Celery
from celery.signals import worker_process_shutdown
from taximeter import Meter, QueueTransport, SpoolTransport, Waits

app = Celery("served", broker=os.environ["BROKER"])
app.conf.task_default_queue = "sdk-tests"
meter = Meter(
    source="worker", transport=SpoolTransport(os.environ["RECEIVER"], api_key="k", directory=os.environ["SPOOL"])
)
quick = Meter(source="memory", transport=QueueTransport(os.environ["RECEIVER"], api_key="k", waits=Waits(idle=60)))
worker_process_shutdown.connect(lambda **_: quick.close(), weak=False)
meter.record("started", None, {"process": os.getpid()}, id=f"started-{os.getpid()}")


@app.task(name="work")
def work(headers: dict[str, str]) -> None:
    with meter.continue_task(headers) as task:
        with task.turn() as turn:
            turn.tool_call("search", process=os.getpid())
        task.succeed()
    quick.record("noted", "acme", {}, id=f"noted-{task.task_id}")
