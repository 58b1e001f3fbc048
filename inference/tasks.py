from __future__ import annotations

import logging

from celery import shared_task

from inference.api import engine
from inference.api.errors import EngineUnavailable
from inference.services.calls import record_calls
from kernel.clock import system_clock

logger = logging.getLogger("inference")

_AT_ONCE = 500


@shared_task(name="inference.record_kept_calls")
def record_kept_calls(grace: int = 10) -> int:
    """Record what the engine keeps and no web server has recorded `grace` seconds after a call's end.

    The engine keeps it until it is told.
    """
    try:
        calls = engine.ask("GET", f"/v1/calls?older_than={grace}&limit={_AT_ONCE}")["data"]
        done = record_calls(calls=calls, now=system_clock())
        if done:
            engine.ask("POST", "/v1/calls/recorded", {"ids": done})
    except EngineUnavailable as error:
        logger.info("no calls are collected: %s", error.detail)
        return 0
    return len(done)
