"""How much memory a model needs, estimated from its file before it is loaded."""

from __future__ import annotations

from inference.domain.gguf import ModelMetadata

#: Bytes of one number in the key-value cache, by llama.cpp's names. A block of 32 has its scales beside it.
CACHE_TYPES = {
    "f32": 4.0, "f16": 2.0, "bf16": 2.0, "q8_0": 34 / 32, "q5_1": 24 / 32, "q5_0": 22 / 32, "q4_1": 20 / 32,
    "q4_0": 18 / 32,
}  # fmt: skip

_FIXED = 8 * 1024 * 1024


def estimate_memory(
    metadata: ModelMetadata, *, file_bytes: int, context: int, slots: int, batch: int, cache_type: str
) -> int:
    """Bytes for the weights, the cache of `slots` contexts and what one batch needs while it is worked on.

    Measured with SmolLM2-135M at 4,096 tokens: 226 MB estimated, 212 MB resident more than without it.
    """
    cache = metadata.cache_width * context * slots * CACHE_TYPES[cache_type]
    state = metadata.state_size * slots * 4
    logits = metadata.vocabulary * batch * 4
    return _FIXED + file_bytes + round(cache) + state + logits
