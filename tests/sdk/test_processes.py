"""Processes that fork, are forked by servers, and end: each event arrives, once, whoever recorded it."""

from __future__ import annotations

import itertools
import os
import signal
import sys
import urllib.request
from concurrent.futures import ThreadPoolExecutor

import pytest
from taximeter import Meter, SpoolTransport
from taximeter.delivery.sender import Waits

from tests.sdk.processes import drain, run, start
from tests.sdk.receiver import answering, receiving, wait_for
from tests.system import free_port

QUICK = Waits(first=0.01, longest=0.05, idle=0.01)

BEGIN = """
import multiprocessing, os, signal, sys, threading, time
from taximeter import Meter, QueueTransport, SpoolTransport
from taximeter.delivery.sender import Waits
quick = Waits(first=0.01, longest=0.05, idle=0.01)
if sys.argv[2] == "queue":
    transport = QueueTransport(sys.argv[1], api_key="k", waits=quick)
else:
    transport = SpoolTransport(sys.argv[1], api_key="k", directory=sys.argv[2], waits=quick, adopt_every=0.1)
meter = Meter(source="test", transport=transport)
def record(*ids):
    for id in ids:
        meter.record("t", "acme", {}, id=id)
"""


@pytest.fixture
def receiver():
    with receiving() as server:
        yield server


@pytest.fixture
def spool(tmp_path):
    return tmp_path / "spool"


def test_a_process_that_simply_ends_has_sent_everything(receiver, spool):
    run(BEGIN + "record('a', 'b')", receiver.address, str(spool))
    assert receiver.ids() == ["a", "b"]
    assert list(spool.glob("*/")) == []


def test_in_memory_too_what_was_recorded_is_sent_at_the_end(receiver):
    run(BEGIN + "record(*map(str, range(1000)))", receiver.address, "queue")
    assert receiver.ids() == [str(n) for n in range(1000)]


@pytest.mark.parametrize("kind", ["spool", "queue"])
def test_what_a_meter_recorded_that_nobody_remembers_is_sent_too(receiver, spool, kind):
    code = "del record, transport, meter\nimport gc\ngc.collect()"
    run(BEGIN + "record('a')\n" + code, receiver.address, str(spool) if kind == "spool" else kind)
    assert receiver.ids() == ["a"]


def test_a_process_ends_in_time_though_the_server_does_not_answer(receiver, spool):
    receiver.always = answering(503)
    run(BEGIN + "record('a')", receiver.address, str(spool), seconds=10)
    assert drain(spool) == ["a"]


def test_what_is_recorded_while_the_interpreter_ends_is_kept(receiver, spool):
    code = "import atexit\natexit.register(lambda: record('last'))\n"  # runs after what the package registers
    run(code + BEGIN + "record('a')", receiver.address, str(spool))
    assert [*receiver.ids(), *drain(spool)] == ["a", "last"]


def test_a_terminated_process_loses_nothing(receiver, spool):
    receiver.always = answering(503)
    run(
        BEGIN + "record('a')\nif os.fork() == 0:\n  record('b')\n  os.kill(os.getpid(), signal.SIGTERM)\nos.wait()\n"
        "signal.signal(signal.SIGTERM, signal.SIG_DFL)\nos._exit(0)",
        receiver.address,
        str(spool),
    )
    assert sorted(drain(spool)) == ["a", "b"]


def test_a_forked_child_sends_its_own_and_nothing_of_its_parents(receiver, spool):
    code = """
record("parent-1")
if (child := os.fork()) == 0:
    record("child-1", "child-2")
    meter.flush(60)
    os._exit(0)
record("parent-2")
os.waitpid(child, 0)
meter.flush(60)
"""
    run(BEGIN + code, receiver.address, str(spool))
    assert sorted(receiver.ids()) == ["child-1", "child-2", "parent-1", "parent-2"]
    assert receiver.duplicates == 0


def test_what_waits_in_memory_is_sent_by_the_parent_alone(receiver):
    code = """
transport.door.post = (lambda post: lambda batch: (time.sleep(0.2), post(batch))[1])(transport.door.post)
record("parent-1", "parent-2")
if (child := os.fork()) == 0:
    record("child")
    meter.flush(60)
    os._exit(0)
os.waitpid(child, 0)
"""
    run(BEGIN + code, receiver.address, "queue")
    assert sorted(receiver.ids()) == ["child", "parent-1", "parent-2"]
    assert receiver.duplicates == 0


def test_forks_in_the_middle_of_recording_neither_hang_nor_lose_nor_repeat(receiver, spool):
    code = """
stop = threading.Event()
noted = []
def work(name):
    n = 0
    while not stop.is_set():
        record(f"{name}-{n}")
        noted.append(f"{name}-{n}")
        n += 1
threads = [threading.Thread(target=work, args=(f"thread{k}",)) for k in range(2)]
for thread in threads: thread.start()
children = []
for n in range(20):
    child = os.fork()
    if child == 0:
        signal.alarm(20)
        record(f"child-{n}")
        os._exit(0)
    children.append(child)
    time.sleep(0.01)
assert [os.waitpid(child, 0)[1] for child in children] == [0] * 20
stop.set()
for thread in threads: thread.join()
meter.flush(30)
transport.drain(10)
print(len(noted))
"""
    recorded = int(run(BEGIN + code, receiver.address, str(spool)))
    ids = [*receiver.ids(), *drain(spool)]
    assert len(ids) == len(set(ids)) == recorded + 20
    assert {f"child-{n}" for n in range(20)} <= set(ids)


@pytest.mark.parametrize("kind", ["spool", "queue"])
@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_processes_of_multiprocessing_record_too(receiver, spool, tmp_path, method, kind):
    program = tmp_path / "program.py"
    program.write_text(
        BEGIN + "if __name__ == '__main__':\n"
        f"  with multiprocessing.get_context('{method}').Pool(2) as pool:\n"
        "    pool.map(record, [f'e{n}' for n in range(20)])\n    pool.close()\n    pool.join()\n"
    )
    done = start(sys.executable, str(program), receiver.address, str(spool) if kind == "spool" else "queue")
    assert done.wait(60) == 0
    ids = [*receiver.ids(), *(drain(spool) if kind == "spool" else [])]
    assert sorted(ids) == sorted(f"e{n}" for n in range(20))


def test_asyncio_records_and_is_not_held_up(receiver, spool):
    code = """
import asyncio
async def work(n):
    async with meter.task("t", customer="acme", agent="a", task_id=f"t{n}") as task:
        async with task.turn() as turn:
            await asyncio.sleep(0)
            turn.decision("route", choice="a")
        task.succeed()
async def main():
    slowest, stop = 0, False
    async def watch():
        nonlocal slowest
        while not stop:
            began = time.monotonic()
            await asyncio.sleep(0.001)
            slowest = max(slowest, time.monotonic() - began)
    watching = asyncio.create_task(watch())
    await asyncio.gather(*(work(n) for n in range(500)))
    stop = True
    await watching
    print(slowest)
asyncio.run(main())
"""
    slowest = float(run(BEGIN + code, receiver.address, str(spool)))
    assert len(receiver.ids()) == 1500
    assert slowest < 2  # five hundred tasks, on a machine that others use too


def test_gunicorn_with_preload_records_in_its_master_and_all_workers(receiver, spool):
    port = free_port()
    command = ["-m", "gunicorn", "--preload", "--workers", "3", "--threads", "2", "--bind", f"127.0.0.1:{port}"]
    server = start(
        sys.executable, *command, "--log-level", "warning", "tests.sdk.served_wsgi:application",
        RECEIVER=receiver.address, SPOOL=str(spool),
    )  # fmt: skip

    def ask(name):
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/{name}", timeout=10) as answer:
                return int(answer.read())
        except OSError:
            return 0

    try:
        assert wait_for(lambda: ask("first") > 0, seconds=20)
        workers = {ask(f"request-{n}") for n in range(60)}
        # A worker that is up first may answer all of these; the others follow.
        names = (f"more-{n}" for n in itertools.count())

        def are_several() -> bool:
            workers.update(pool.map(ask, itertools.islice(names, 16)))
            return len(workers) > 1

        with ThreadPoolExecutor(8) as pool:
            assert wait_for(are_several, seconds=30)
        assert server.pid not in workers
        os.kill(min(workers - {0}), signal.SIGKILL)
        workers |= {ask(f"later-{n}") for n in range(20)}
    finally:
        server.terminate()
        server.wait(20)
    ids = [*receiver.ids(), *drain(spool)]
    assert len(ids) == len(set(ids))
    asked = {"first", *(f"request-{n}" for n in range(60))}
    assert {id for id in ids if id.endswith("/task")} >= {f"{name}/task" for name in asked}
    assert [id for id in ids if id.startswith("started-")] == [f"started-{server.pid}"]


def test_celery_with_prefork_continues_tasks_that_were_begun_elsewhere(receiver, spool, redis_url):
    broker = redis_url.replace("unix://", "redis+socket://")
    environment = {"RECEIVER": receiver.address, "SPOOL": str(spool), "BROKER": broker}
    worker = start(
        sys.executable, "-m", "celery", "--app", "tests.sdk.served_celery", "worker", "--pool", "prefork",
        "--concurrency", "2", "--queues", "sdk-tests", "--loglevel", "error", **environment,
    )  # fmt: skip
    try:
        from celery import Celery

        sender = Celery("sender", broker=broker)
        transport = SpoolTransport(receiver.address, api_key="k", directory=spool, waits=QUICK)
        meter = Meter(source="web", transport=transport)
        for n in range(30):
            with meter.task("t", customer="acme", agent="a", task_id=f"task{n}") as task:
                sender.send_task("work", [dict(task.hand_over())], queue="sdk-tests")
        assert wait_for(lambda: sum(id.endswith("/task") for id in receiver.ids()) == 30, seconds=40)
    finally:
        worker.terminate()
        worker.wait(30)
    transport.close()
    ids = [*receiver.ids(), *drain(spool)]
    # What waited in the workers' memory was sent when they ended.
    assert sorted(id for id in ids if id.startswith("noted-")) == sorted(f"noted-task{n}" for n in range(30))
    assert sorted(id for id in ids if not id.startswith(("started-", "noted-"))) == sorted(
        f"task{n}/{rest}" for n in range(30) for rest in ("part-1/turn-1/tool-call-1", "part-1/turn-1", "task")
    )
    processes = {
        event["data"].get("process") for event in receiver.stored.values() if event["type"] == "agent.tool_call"
    }
    assert worker.pid not in processes
    assert len(processes) == 2
