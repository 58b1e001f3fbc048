"""Calls that the OpenAI-compatible door of this server has metered itself, met again as spans of the client.

That door answers with an id made from the call's own, which instrumentations put into `gen_ai.response.id`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from metering.decoding import event_identity
from metering.domain import otel_aliases as aliases
from metering.domain.otel_spans import Span
from rest.statements import run

#: Under which the door writes its calls to the log, as `call/` and the call's id.
SOURCE = "taximeter/inference"
_RESPONSE_ID = re.compile(r"[a-z]+-(call_[0-9A-Z]{26})")

_KNOWN = "SELECT identity FROM metering_eventidentity WHERE identity = ANY(%s::uuid[])"


def metered_calls(*, organization_id: int, spans: Sequence[Span]) -> frozenset[str]:
    """Those response ids of `spans` whose calls are in the organization's log already; asks it only if there may be."""
    given = {
        event_identity(organization_id, SOURCE, f"call/{found[1]}"): found[0]
        for span in spans
        if isinstance(response_id := span.attributes.get(aliases.RESPONSE_ID), str)
        and (found := _RESPONSE_ID.fullmatch(response_id))
    }
    if not given:
        return frozenset()
    known = run(_KNOWN, [[str(identity) for identity in given]], prepare=False).fetchall()
    return frozenset(given[identity] for (identity,) in known)
