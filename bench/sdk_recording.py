"""The time of one turn, by each contender that can be imported. One process of `python -m bench sdk`.

    python bench/sdk_recording.py PORT SPOOL TURNS

A turn has the same eight facts for all; "with its inference call" adds a nested span, or event, of six. Contenders
take rounds in turn; after every fifty turns all sleep a little, as an agent waits for its model, so that background
threads come to their work and queues do not overflow. What is timed is the turn alone, by the caller's clock.
"""

from __future__ import annotations

import json
import logging
import statistics
import sys
import time
import uuid
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

ROUNDS = 10
FACTS = {
    "agent": "support",
    "agent_version": "3",
    "task_id": "task-4711",
    "turn_id": "task-4711/turn-1",
    "customer": "acme",
    "environment": "production",
    "initiator": "human",
    "channel": "chat",
}
CALL = {
    "provider": "taximeter",
    "model": "smollm2-135m",
    "input_tokens": 410,
    "output_tokens": 58,
    "compute_seconds": "0.74",
    "finish_reason": "stop",
}

Work = Callable[[], Any]


class Contender:
    """`turn` and `turn_with_call` do one turn each; `settle` lets what is in the background end."""

    def __init__(self, turn: Work, turn_with_call: Work, settle: Work, close: Work, share: float = 1.0) -> None:
        self.works = {"a turn": turn, "a turn with its inference call": turn_with_call}
        self.settle = settle
        self.close = close
        self.share = share


def taximeter(transport: Any) -> Contender:
    from taximeter import Meter  # noqa: PLC0415 - contenders are optional

    meter = Meter(source="bench", transport=transport, environment="production")
    task = meter.task("bench", customer="acme", agent="support@3").__enter__()

    def turn() -> None:
        with task.turn(initiator="human", channel="chat"):
            pass

    def turn_with_call() -> None:
        with task.turn(initiator="human", channel="chat") as one:
            one.inference(**CALL)

    return Contender(turn, turn_with_call, lambda: meter.flush(30), lambda: meter.close(30))


def memory(port: int, spool: str) -> Contender:
    from taximeter import QueueTransport  # noqa: PLC0415

    return taximeter(QueueTransport(f"http://127.0.0.1:{port}", api_key="k"))


def spool(port: int, spool: str) -> Contender:
    from taximeter import SpoolTransport  # noqa: PLC0415

    return taximeter(SpoolTransport(f"http://127.0.0.1:{port}", api_key="k", directory=spool))


def opentelemetry(port: int, spool: str) -> Contender:
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter  # noqa: PLC0415
    from opentelemetry.sdk.trace import TracerProvider  # noqa: PLC0415
    from opentelemetry.sdk.trace.export import BatchSpanProcessor  # noqa: PLC0415

    provider = TracerProvider()
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(f"http://127.0.0.1:{port}/v1/traces")))
    tracer = provider.get_tracer("bench")

    def turn() -> None:
        with tracer.start_as_current_span("turn", attributes=FACTS):
            pass

    def turn_with_call() -> None:
        with (
            tracer.start_as_current_span("turn", attributes=FACTS),
            tracer.start_as_current_span("inference", attributes=CALL),
        ):
            pass

    return Contender(turn, turn_with_call, lambda: provider.force_flush(30_000), provider.shutdown)


def langfuse(port: int, spool: str) -> Contender:
    from langfuse import Langfuse  # noqa: PLC0415

    client = Langfuse(public_key="pk", secret_key="sk", base_url=f"http://127.0.0.1:{port}")
    usage = {"input": CALL["input_tokens"], "output": CALL["output_tokens"]}

    def turn() -> None:
        with client.start_as_current_observation(name="turn", as_type="span", metadata=FACTS):
            pass

    def turn_with_call() -> None:
        with (
            client.start_as_current_observation(name="turn", as_type="span", metadata=FACTS),
            client.start_as_current_observation(
                name="inference",
                as_type="generation",
                model=str(CALL["model"]),
                usage_details=usage,
                metadata={name: CALL[name] for name in ("provider", "compute_seconds", "finish_reason")},
            ),
        ):
            pass

    return Contender(turn, turn_with_call, client.flush, client.shutdown)


def openmeter(port: int, spool: str) -> Contender:
    """Its client has no background: each event is a request, made in the call. A fiftieth of the turns will do."""
    from openmeter import Client  # noqa: PLC0415

    client = Client(endpoint=f"http://127.0.0.1:{port}", token="k")

    def send(type: str, data: Any) -> None:
        now = datetime.now(UTC)
        event = {"id": uuid.uuid4().hex, "source": "bench", "specversion": "1.0", "type": type, "subject": "acme"}
        client.events.ingest_event({**event, "time": now, "data": data})

    def turn_with_call() -> None:
        send("inference", CALL)
        send("turn", FACTS)

    return Contender(lambda: send("turn", FACTS), turn_with_call, lambda: None, client.close, share=0.02)


CONTENDERS = {
    "OpenTelemetry span": opentelemetry,
    "taximeter, memory": memory,
    "taximeter, spool": spool,
    "langfuse": langfuse,
    "openmeter": openmeter,
}


def measure(work: Work, turns: int) -> list[int]:
    """Nanoseconds of each of `turns` calls."""
    clock = time.perf_counter_ns
    taken = []
    for number in range(turns):
        began = clock()
        work()
        taken.append(clock() - began)
        if number % 50 == 49:
            time.sleep(0.005)
    return taken


def compare(port: int, spool: str, turns: int) -> None:
    logging.disable(logging.CRITICAL)
    taking_part: dict[str, Contender] = {}
    missing: dict[str, str] = {}
    for name, make in CONTENDERS.items():
        try:
            taking_part[name] = make(port, spool)
            taking_part[name].works["a turn with its inference call"]()
        except Exception as error:
            taking_part.pop(name, None)
            missing[name] = f"{type(error).__name__}: {error}"
    shapes: dict[str, dict[str, list[int]]] = {}
    for shape in ("a turn", "a turn with its inference call"):
        taken = shapes[shape] = {name: [] for name in taking_part}
        for round_number in range(ROUNDS + 1):
            for name, contender in taking_part.items():
                part = measure(contender.works[shape], max(10, int(turns / ROUNDS * contender.share)))
                contender.settle()
                if round_number:  # the first one warms up
                    taken[name] += part
    for contender in taking_part.values():
        contender.close()
    numbers = {
        shape: {
            name: {
                "median": statistics.median(values) / 1000,
                "p99": sorted(values)[int(len(values) * 0.99)] / 1000,
            }
            for name, values in taken.items()
        }
        for shape, taken in shapes.items()
    }
    print(json.dumps({"missing": missing, "shapes": numbers}))


if __name__ == "__main__":
    compare(int(sys.argv[1]), sys.argv[2], int(sys.argv[3]))
