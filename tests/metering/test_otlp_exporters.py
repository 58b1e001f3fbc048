"""Real OpenTelemetry against a real web server: the SDK's exporter, and published GenAI instrumentations."""

from __future__ import annotations

import http.server
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import httpx
import openai
import pytest
from openinference.instrumentation.openai import OpenAIInstrumentor as OpenInferenceInstrumentor
from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.instrumentation.genai.openai import OpenAIInstrumentor
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import Tracer, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SimpleSpanProcessor
from opentelemetry.trace import StatusCode

from accounts.facade import Organization, create_api_key, create_organization
from metering.facade import EventQuestion, EventView, UsageEvent, list_events
from tests.inference.engine_process import MODELS, Engine, start_engine

pytestmark = pytest.mark.django_db(transaction=True)


@dataclass
class Vendor:
    organization: Organization
    secret: str
    address: str

    def events(self) -> list[EventView]:
        found, _ = list_events(EventQuestion(organization_id=self.organization.pk), limit=100)
        return [event for event in found[::-1] if event.source == "opentelemetry"]

    def types(self) -> list[str]:
        return sorted(event.type for event in self.events())

    def provider(self, *, address: str = "", batch: bool = True, compression: Any = Compression.Gzip) -> TracerProvider:
        """A tracer provider whose spans go to this vendor."""
        exporter = OTLPSpanExporter(
            endpoint=f"{address or self.address}/v1/traces",
            headers={"Authorization": f"Bearer {self.secret}"},
            compression=compression,
        )
        provider = TracerProvider(resource=Resource({"service.name": "desk", "taximeter.customer": "acme"}))
        provider.add_span_processor(BatchSpanProcessor(exporter) if batch else SimpleSpanProcessor(exporter))
        return provider


@pytest.fixture
def vendor(live_server: Any) -> Vendor:
    organization = create_organization(name="Vendor")
    _, secret = create_api_key(organization=organization, name="collector", scopes=["ingest"])
    return Vendor(organization, secret, live_server.url)


def run_agent(tracer: Tracer) -> None:
    """A request that an agent works on with another agent's help."""
    with (
        tracer.start_as_current_span("POST /ask", attributes={"http.request.method": "POST"}),
        tracer.start_as_current_span(
            "invoke_agent support", attributes={"gen_ai.operation.name": "invoke_agent", "gen_ai.agent.name": "support"}
        ),
    ):
        with (
            tracer.start_as_current_span(
                "invoke_agent research",
                attributes={"gen_ai.operation.name": "invoke_agent", "gen_ai.agent.name": "research"},
            ),
            tracer.start_as_current_span(
                "chat gpt-4o",
                attributes={
                    "gen_ai.operation.name": "chat",
                    "gen_ai.provider.name": "openai",
                    "gen_ai.request.model": "gpt-4o",
                    "gen_ai.usage.input_tokens": 410,
                    "gen_ai.usage.output_tokens": 58,
                    "gen_ai.response.finish_reasons": ["stop"],
                    "gen_ai.input.messages": "the secret prompt",
                },
            ),
        ):
            pass
        with tracer.start_as_current_span(
            "execute_tool refund",
            attributes={"gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": "refund", "error.type": "timeout"},
        ) as tool:
            tool.set_status(StatusCode.ERROR, "the secret reason")


ALL = ["agent.decision", "agent.task", "agent.tool_call", "agent.turn", "inference.call"]


@pytest.mark.parametrize("compression", [Compression.Gzip, Compression.NoCompression, Compression.Deflate])
def test_an_agents_trace_arrives_as_task_turn_tool_call_and_inference_call(
    vendor: Vendor, compression: Compression
) -> None:
    provider = vendor.provider(compression=compression)
    run_agent(provider.get_tracer("test"))
    provider.shutdown()
    if compression is Compression.Deflate:  # OTLP asks for gzip alone
        assert vendor.events() == []
        return
    assert vendor.types() == ALL
    events = {event.type: event for event in vendor.events()}
    assert {event.customer for event in events.values()} == {"acme"}
    assert len({event.data["task_id"] for event in events.values()}) == 1
    task, turn, call = events["agent.task"], events["agent.turn"], events["inference.call"]
    assert (task.data["agent"], task.data["outcome"]) == ("support", "succeeded")
    assert (turn.data["agent"], turn.data["parent_id"]) == ("research", task.id)
    assert (call.data["model"], call.data["input_tokens"], call.data["finish_reason"]) == ("gpt-4o", 410, "stop")
    assert call.data["parent_id"] == turn.id
    assert (events["agent.tool_call"].data["tool"], events["agent.tool_call"].data["error"]) == ("refund", "timeout")
    assert events["agent.decision"].data["choice"] == "refund"
    assert "secret" not in str([event.data for event in events.values()])


def test_spans_that_come_one_by_one_give_the_same_events(vendor: Vendor) -> None:
    """Alone, an agent below an HTTP span cannot be seen to be outermost, so it says so."""
    provider = vendor.provider(batch=False)
    tracer = provider.get_tracer("test")
    attributes = {"gen_ai.operation.name": "invoke_agent", "gen_ai.agent.name": "support", "taximeter.unit": "task"}
    with (
        tracer.start_as_current_span("POST /ask"),
        tracer.start_as_current_span("invoke_agent support", attributes=attributes),
        tracer.start_as_current_span("chat", attributes={"gen_ai.operation.name": "chat"}),
    ):
        pass
    provider.shutdown()
    assert vendor.types() == ["agent.task", "inference.call"]


@contextmanager
def losing_the_first_answer(address: str) -> Iterator[tuple[str, list[int]]]:
    """A proxy that hands requests on and answers 503 to the first, which the server has taken by then."""
    answers: list[int] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            headers = {name: value for name, value in self.headers.items() if name.lower() != "host"}
            answer = httpx.post(f"{address}{self.path}", content=body, headers=headers)
            answers.append(answer.status_code)
            self.send_response(503 if len(answers) == 1 else answer.status_code)
            self.send_header("Retry-After", "1")
            self.send_header("Content-Type", answer.headers["Content-Type"])
            self.send_header("Content-Length", str(len(answer.content)))
            self.end_headers()
            self.wfile.write(answer.content)

        def log_message(self, *arguments: Any) -> None:
            """Quiet."""

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", answers
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_a_batch_whose_answer_was_lost_is_sent_again_and_counts_once(vendor: Vendor) -> None:
    with losing_the_first_answer(vendor.address) as (address, answers):
        provider = vendor.provider(address=address)
        run_agent(provider.get_tracer("test"))
        assert provider.force_flush(10_000)
        provider.shutdown()
    assert answers == [200, 200]
    assert vendor.types() == ALL


@pytest.fixture(scope="module")
def engine() -> Iterator[Engine]:
    engine = start_engine(MODELS / "tiny-llama.gguf")
    yield engine
    engine.stop()


@pytest.mark.parametrize("instrumentor", [OpenAIInstrumentor, OpenInferenceInstrumentor])
def test_a_published_instrumentation_of_the_openai_client_arrives_with_its_tokens(
    vendor: Vendor, engine: Engine, settings: Any, instrumentor: Any
) -> None:
    """The client talks to the OpenAI-compatible door, for another organization, which meters the call itself."""
    settings.ENGINE_SOCKET = str(engine.socket)
    _, secret = create_api_key(organization=create_organization(name="Host"), name="agent", scopes=["ingest"])
    provider = vendor.provider()
    instrumentor().instrument(tracer_provider=provider)
    try:
        with openai.OpenAI(base_url=f"{vendor.address}/v1", api_key=secret, max_retries=0) as client:
            answer = client.chat.completions.create(
                model=engine.model, messages=[{"role": "user", "content": "Name a colour"}], max_tokens=8, temperature=0
            )
    finally:
        instrumentor().uninstrument()
        provider.shutdown()
        assert answer.usage is not None
    [event] = vendor.events()
    expected = {
        "agent": "desk",
        "operation": "chat",
        "provider": "openai",
        "model": answer.model,
        "input_tokens": answer.usage.prompt_tokens,
        "output_tokens": 8,
        "finish_reason": "length",
    }
    assert (event.type, event.customer) == ("inference.call", "acme")
    assert {name: event.data[name] for name in expected} == expected
    assert "colour" not in str(event.data)


@pytest.mark.parametrize("stream", [False, True])
def test_a_call_that_our_own_door_metered_is_not_counted_again_when_its_span_comes(
    vendor: Vendor, engine: Engine, settings: Any, stream: bool
) -> None:
    settings.ENGINE_SOCKET = str(engine.socket)
    provider = vendor.provider()
    OpenAIInstrumentor().instrument(tracer_provider=provider)
    try:
        with openai.OpenAI(base_url=f"{vendor.address}/v1", api_key=vendor.secret, max_retries=0) as client:
            messages: Any = [{"role": "user", "content": "Name a colour"}]
            answer: Any = client.chat.completions.create(
                model=engine.model, messages=messages, max_tokens=8, stream=stream, extra_headers={"X-Customer": "acme"}
            )
            if stream:
                assert list(answer)
    finally:
        OpenAIInstrumentor().uninstrument()
        provider.shutdown()
    [event] = UsageEvent.objects.filter(organization=vendor.organization)
    assert (event.source, event.subject) == ("taximeter/inference", "acme")
    assert 1 <= event.data["output_tokens"] <= 8
