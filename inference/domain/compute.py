"""What one inference call used. `docs/compute.md` defines a compute second."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Any

_MICROSECOND = Decimal("0.000001")
_MILLIJOULE = Decimal("0.001")


@dataclass(frozen=True, slots=True)
class CallUsage:
    """What a call used up to now, or in all.

    `compute_seconds` is processor time of the engine process from the call's admission on; all `_ms` are
    wall time, `first_token_ms` counted from admission and `queue_ms` from arrival to admission.
    """

    input_tokens: int = 0
    cached_input_tokens: int = 0
    output_tokens: int = 0
    compute_seconds: Decimal = Decimal(0)
    queue_ms: int = 0
    prompt_ms: int = 0
    generation_ms: int = 0
    first_token_ms: int | None = None
    finish_reason: str | None = None
    finished_at: str | None = None
    """RFC 3339, once it is over."""

    def as_json(self) -> dict[str, Any]:
        """The fields as JSON carries them, `compute_seconds` as a decimal string."""
        counts = {
            "input_tokens": self.input_tokens,
            "cached_input_tokens": self.cached_input_tokens,
            "output_tokens": self.output_tokens,
            "compute_seconds": format(self.compute_seconds, "f"),
            "queue_ms": self.queue_ms,
            "prompt_ms": self.prompt_ms,
            "generation_ms": self.generation_ms,
            "first_token_ms": self.first_token_ms,
            "finish_reason": self.finish_reason,
        }
        return counts if self.finished_at is None else {**counts, "finished_at": self.finished_at}


def energy_estimate(compute_seconds: Decimal, *, watts: Decimal) -> Decimal:
    """Joules that `compute_seconds` took where a busy core draws `watts`. Nothing measured it: an estimate."""
    return (compute_seconds * watts).quantize(_MILLIJOULE)


def seconds_from_nanoseconds(nanoseconds: int) -> Decimal:
    """Processor time in seconds, rounded to the microsecond: finer is noise."""
    return (Decimal(nanoseconds) / 1_000_000_000).quantize(_MICROSECOND)
