from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from accounts.facade import SYSTEM
from inference.services.recording import call_event
from metering.facade import ingest

logger = logging.getLogger("inference")


def record_calls(*, calls: Sequence[dict[str, Any]], now: datetime) -> list[str]:
    """Records calls that the engine has kept, and returns the ids of those it need not keep any longer.

    A call that was recorded by the web server is a duplicate; one that it recorded with other numbers, as it knew
    less or more of an engine that died, is a conflict. The log keeps the first of them in both cases.
    """
    done: list[str] = []
    by_sender: dict[tuple[int, str], list[dict[str, Any]]] = defaultdict(list)
    for call in calls:
        if call["account"]["input_tokens"]:
            by_sender[call["call"]["organization_id"], call["call"].get("sent_by") or SYSTEM].append(call)
        else:
            done.append(call["id"])
    for (organization_id, sent_by), its_calls in by_sender.items():
        events = [
            call_event(request_id=call["id"], call=call["call"], account=call["account"], now=now) for call in its_calls
        ]
        result = ingest(
            organization_id=organization_id,
            events=events,
            received_at=now,
            sent_by=sent_by,
            sent_once=True,
        )
        for refusal in result.rejected:
            if refusal.code != "id_conflict":
                logger.error("call %s cannot be recorded: %s", its_calls[refusal.index], refusal.detail)
        if result.accepted:
            logger.warning("%d calls were recorded that no web server had recorded", result.accepted)
        done += [call["id"] for call in its_calls]
    return done
