"""What an answer must fit, written as a grammar for llama.cpp's llguidance engine.

A grammar holds where a wish in the prompt does not: the default model ignores `tool_choice: "required"`,
and under a grammar it was right in every try. Optional spaces of JSON are left out: they cost tokens.

Syntax: github.com/guidance-ai/llguidance/blob/main/docs/syntax.md
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

_COMPACT = {"x-guidance": {"whitespace_flexible": False}}


def json_of(schema: Mapping[str, Any]) -> str:
    """JSON that fits `schema`."""
    return f"%llguidance {{}}\nstart: {_json(schema)}\n"


def json_or_text(schema: Mapping[str, Any]) -> str:
    """JSON that fits `schema`, or any text that does not begin like it."""
    return f"%llguidance {{}}\nstart: call | text\ncall: {_json(schema)}\ntext: /([^{{](.|\\n)*)?/\n"


def _json(schema: Mapping[str, Any]) -> str:
    return f"%json {json.dumps({**schema, **_COMPACT})}"
