"""The engine's numbers in Prometheus' text format (prometheus.io/docs/instrumenting/exposition_formats)."""

from __future__ import annotations

import threading
import time
from collections import defaultdict
from collections.abc import Mapping

from inference.domain.compute import CallUsage

_SECONDS = (0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 10.0, 60.0)

_HELP = {
    "requests_total": ("counter", "Requests by model and by how they ended"),
    "refused_total": ("counter", "Requests refused, by code"),
    "tokens_total": ("counter", "Tokens by model and kind: input, cached_input, output"),
    "compute_seconds_total": ("counter", "Processor time spent on requests, by model"),
    "queue_seconds": ("histogram", "Time from arrival to admission"),
    "first_token_seconds": ("histogram", "Time from admission to the first token"),
    "process_cpu_seconds_total": ("counter", "Processor time of the engine process in all"),
    "requests_waiting": ("gauge", "Requests in line"),
    "requests_running": ("gauge", "Requests under way"),
    "model_loaded": ("gauge", "1 for each loaded model"),
    "model_loads_total": ("counter", "Models loaded since the start"),
    "model_unloads_total": ("counter", "Models unloaded since the start"),
    "memory_bytes": ("gauge", "What the loaded models are estimated to take"),
    "memory_limit_bytes": ("gauge", "What models may take"),
    "calls_unrecorded": ("gauge", "Calls whose usage nobody has recorded yet"),
}

Labels = tuple[tuple[str, str], ...]


class Metrics:
    """Counters of finished requests; the rest is read when asked for."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts: dict[tuple[str, Labels], float] = defaultdict(float)

    def finished(self, model: str, usage: CallUsage) -> None:
        """A request that was answered, or cut off after it began."""
        of_model = ("model", model)
        with self._lock:
            self._counts["requests_total", (of_model, ("outcome", usage.finish_reason or "error"))] += 1
            for kind, tokens in (
                ("input", usage.input_tokens),
                ("cached_input", usage.cached_input_tokens),
                ("output", usage.output_tokens),
            ):
                self._counts["tokens_total", (of_model, ("kind", kind))] += tokens
            self._counts["compute_seconds_total", (of_model,)] += float(usage.compute_seconds)
            self._observe("queue_seconds", usage.queue_ms / 1000)
            if usage.first_token_ms is not None:
                self._observe("first_token_seconds", usage.first_token_ms / 1000)

    def refused(self, code: str) -> None:
        with self._lock:
            self._counts["refused_total", (("code", code),)] += 1

    def _observe(self, name: str, seconds: float) -> None:
        for bound in _SECONDS:
            self._counts[f"{name}_bucket", (("le", f"{bound:g}"),)] += seconds <= bound
        self._counts[f"{name}_bucket", (("le", "+Inf"),)] += 1
        self._counts[f"{name}_sum", ()] += seconds
        self._counts[f"{name}_count", ()] += 1

    def text(self, now: Mapping[tuple[str, Labels], float]) -> str:
        """All of it as text; `now` adds what is true at the moment."""
        with self._lock:
            values = {**self._counts, **now, ("process_cpu_seconds_total", ()): time.process_time()}
        lines: list[str] = []
        for name, (kind, said) in _HELP.items():
            lines += [f"# HELP taximeter_engine_{name} {said}", f"# TYPE taximeter_engine_{name} {kind}"]
            lines += [
                f"taximeter_engine_{found}{_labels(labels)} {value:.9g}"
                for (found, labels), value in values.items()
                if found == name or (kind == "histogram" and found.startswith(f"{name}_"))
            ]
        return "\n".join(lines) + "\n"


def _labels(labels: Labels) -> str:
    if not labels:
        return ""
    escaped = ((name, value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")) for name, value in labels)
    return "{" + ",".join(f'{name}="{value}"' for name, value in escaped) + "}"
