"""A projection or an agent's worker that is killed: whoever goes on comes to what an undisturbed one comes to."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psycopg
from django.db import connection

from agents.models import Task, TaskState
from agents.runtime.providers import model_of
from agents.services.working import work_queued_task
from tests.agents.openai_server import OpenAiServer
from tests.agents.test_import_killed import RUNS, TRACE
from tests.agents.test_working import DONE, REFUND, Clock, _tools, an_agent, api, give, usage  # noqa: F401 - fixtures
from tests.system import ROOT, System

WORKER = """
import sys, django; django.setup()
from agents.runtime.providers import model_of
from agents.services.working import work_queued_task
from kernel.clock import system_clock
work_queued_task(task_pk=int(sys.argv[1]), models=model_of, clock=system_clock)
"""


def test_summaries_are_right_whoever_is_killed_while_making_them(system: System) -> None:
    system.manage("create_organization", "Vendor")
    system.manage(*RUNS)
    system.manage(*TRACE)
    go_on = ("shell", "-c", "from agents.facade import advance_task_summaries; advance_task_summaries()")
    with psycopg.connect(system.postgres_url, autocommit=True) as db:
        workers = [system.start_manage(*go_on) for _ in range(2)]
        deadline = time.monotonic() + 60
        while not db.execute("SELECT COUNT(*) FROM agents_callusage").fetchall()[0][0] and time.monotonic() < deadline:
            time.sleep(0.002)
        for worker in workers:
            worker.kill()
            worker.wait(10)
        system.manage(*go_on)
        tasks = db.execute(
            "SELECT COUNT(*), SUM(turns), SUM(decisions), SUM(events), COUNT(*) FILTER (WHERE outcome = 'succeeded')"
            " FROM agents_tasksummary"
        ).fetchall()
        calls = db.execute("SELECT SUM(calls), SUM(input_tokens), SUM(output_tokens) FROM agents_callusage").fetchall()
    assert tasks == [(100, 1_229, 572, 2_473, 43)]
    assert calls == [(19_366, 22_361_870, 4_088_665)]


def test_a_killed_worker_costs_what_it_did_and_the_next_one_bills_the_task_once(api: Any) -> None:  # noqa: F811
    killed: list[subprocess.Popen[bytes]] = []

    def kill(_: dict[str, Any]) -> dict[str, Any]:
        """In the middle of its second turn, while it waits for the model."""
        killed[0].send_signal(signal.SIGKILL)
        return DONE

    with OpenAiServer(REFUND, kill, REFUND, DONE) as server:
        an_agent(api, server)
        give(api)
        task = Task.objects.get()
        name = connection.settings_dict["NAME"]
        environment = os.environ | {
            "DATABASE_URL": urlsplit(os.environ["DATABASE_URL"])._replace(path=f"/{name}").geturl(),
            "TAXIMETER_AGENT_MODULES": "tests.agents.agent_tools",
            "PYTHONPATH": os.pathsep.join([str(ROOT), str(Path(ROOT) / "sdk" / "src")]),
        }
        Task.objects.update(due_at=datetime(2026, 1, 1, tzinfo=UTC))
        command = [sys.executable, "-c", WORKER, str(task.pk)]
        killed.append(subprocess.Popen(command, env=environment, cwd=ROOT))
        assert killed[0].wait(30) == -signal.SIGKILL
        assert Task.objects.get().state == TaskState.RUNNING
        assert usage(api, "turns") == "0"
        deadline = time.monotonic() + 60  # the server notices that the session is gone
        clock = Clock()
        while not work_queued_task(task_pk=task.pk, models=model_of, clock=clock) and time.monotonic() < deadline:
            time.sleep(0.05)
    found = api.get("tasks/ticket-1").json()
    assert (found["outcome"], found["attempts"], found["turns"], found["inference_calls"]) == ("succeeded", 2, 2, 2)
    assert [(one["state"], one["problem"]) for one in found["run"]["attempts"]] == [
        ("discarded", "the worker was lost"),
        ("finished", None),
    ]
    assert [turn.get("discarded", False) for turn in found["tree"]].count(True) == 1
    assert (usage(api, "turns"), usage(api, "succeeded_tasks"), usage(api, "output_tokens")) == ("2", "1", "20")


def test_two_workers_never_work_one_task_at_once(api: Any) -> None:  # noqa: F811
    busy: list[bool] = []

    def again(_: dict[str, Any]) -> dict[str, Any]:
        """What another worker, on a session of its own, makes of the task meanwhile."""
        busy.append(work_queued_task(task_pk=Task.objects.get().pk, models=model_of, clock=Clock()))
        connection.close()
        return DONE

    with OpenAiServer(again) as server:
        an_agent(api, server)
        give(api)
        assert work_queued_task(task_pk=Task.objects.get().pk, models=model_of, clock=Clock())
    assert busy == [False]
    assert Task.objects.get().attempts.count() == 1
