"""The engine's settings, from the environment; `docs/configuration.md` says what each means."""

from __future__ import annotations

from decimal import Decimal, InvalidOperation
from typing import Any

from django.core.exceptions import ImproperlyConfigured

from config import environment as env


def engine_options() -> dict[str, Any]:
    """What `inference.engine.config.EngineConfig` is made of, besides the socket and the secret."""
    options: dict[str, Any] = {
        "hardware": env.text("TAXIMETER_HARDWARE", "cpu"),
        "watts": _watts(),
        "context": env.integer("TAXIMETER_ENGINE_CONTEXT", 4096, low=128, high=1_048_576),
        "slots": env.integer("TAXIMETER_ENGINE_SLOTS", 1, low=1, high=64),
        "threads": env.integer("TAXIMETER_ENGINE_THREADS", 1, low=1, high=256),
        "flash_attention": env.text("TAXIMETER_ENGINE_FLASH_ATTENTION", "auto"),
        "cache_type": env.text("TAXIMETER_ENGINE_CACHE_TYPE", "f16"),
        "queue_limit": env.integer("TAXIMETER_ENGINE_QUEUE_LIMIT", 64, low=0, high=10_000),
        "queue_seconds": float(env.integer("TAXIMETER_ENGINE_QUEUE_SECONDS", 120, low=1, high=3600)),
        "request_seconds": float(env.integer("TAXIMETER_ENGINE_REQUEST_SECONDS", 600, low=1, high=86_400)),
        "publisher_keys": tuple(env.listing("TAXIMETER_MODEL_PUBLISHER_KEYS")),
        "spool": env.VAR / "engine" / "calls.jsonl",
    }
    memory = env.integer("TAXIMETER_ENGINE_MEMORY_MIB", 0, low=0, high=16_777_216)
    return options | ({"memory_bytes": memory * 1024 * 1024} if memory else {})


def _watts() -> Decimal:
    value = env.text("TAXIMETER_HARDWARE_WATTS", "0")
    try:
        watts = Decimal(value)
    except InvalidOperation:
        watts = Decimal("NaN")
    if not watts.is_finite() or not 0 <= watts <= 100_000:
        raise ImproperlyConfigured(f"TAXIMETER_HARDWARE_WATTS must be a number of watts, not {value!r}")
    return watts
