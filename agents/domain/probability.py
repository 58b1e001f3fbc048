"""How probable a choice was, from the log probabilities of the tokens that a model's answer is made of."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any


def probability_of(choice: str, text: str, tokens: Sequence[Mapping[str, Any]]) -> Decimal | None:
    """The probability with which `text` says `choice`, to a millionth; None where it cannot be told.

    `tokens` are OpenAI's `logprobs.content`, in order: `{"token", "logprob"}`. The tokens that hold a part of the
    choice multiply up: what the grammar left no choice about has probability 1 and changes nothing.
    """
    start = text.find(f'"{choice}"')
    if start < 0:
        return None
    first, last = start + 1, start + 1 + len(choice)
    place, total, seen = 0, 0.0, 0
    for one in tokens:
        token, logprob = one.get("token"), one.get("logprob")
        if not isinstance(token, str) or isinstance(logprob, bool) or not isinstance(logprob, int | float):
            return None
        if not text.startswith(token, place):
            return None  # tokens that are parts of characters: the text cannot be followed
        if place < last and place + len(token) > first:
            total += logprob
            seen += 1
        place += len(token)
    if not seen or not math.isfinite(total) or total > 1e-6:
        return None
    return Decimal(repr(round(min(math.exp(total), 1.0), 6)))
