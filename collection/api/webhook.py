"""The door through which Stripe tells what happened: a signed event is written down and answered; the rest is later."""

from __future__ import annotations

import logging
from typing import Any

from django.db import DatabaseError
from django.http import HttpRequest, HttpResponse
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from collection.models import StripeAccount
from collection.services.events import receive_event
from kernel.clock import system_clock
from kernel.errors import InvalidError, TaximeterError, UnavailableError
from rest.problems import problem
from rest.renderers import encode_json

logger = logging.getLogger("collection")

#: Stripe's largest events are a few dozen KiB.
MAX_BYTES = 512 * 1024


@csrf_exempt
@require_POST
def stripe_webhook(request: HttpRequest, token: str) -> HttpResponse:
    """Takes one event. 200 says that it is written down, or that it is none we handle, or known already; 400 that
    Stripe did not sign it, or too long ago; anything else makes Stripe send it again."""
    if int(request.META.get("CONTENT_LENGTH") or 0) > MAX_BYTES:
        return _refuse(413, "Too large", "too_large", f"An event has at most {MAX_BYTES:,} bytes")
    body = request.body
    if len(body) > MAX_BYTES:
        return _refuse(413, "Too large", "too_large", f"An event has at most {MAX_BYTES:,} bytes")
    account = StripeAccount.objects.filter(webhook_token=token).first() if "\x00" not in token else None
    if account is None:
        return _refuse(404, "Not found", "not_found", "There is no such endpoint")
    try:
        receive_event(
            organization_id=account.organization_id,
            body=body,
            signature=request.headers.get("Stripe-Signature", ""),
            now=system_clock(),
        )
    except InvalidError as error:
        return _refuse(400, "Not taken", error.code, error.detail)
    except (UnavailableError, DatabaseError) as error:
        logger.exception("an event of Stripe's could not be taken")
        detail = error.detail if isinstance(error, TaximeterError) else "Send it again"
        return _refuse(503, "Not available for the moment", "unavailable", detail)
    return _answer(200, {"received": True})


def _refuse(status: int, title: str, code: str, detail: str) -> HttpResponse:
    body = problem(status, title, code=code, detail=detail)
    return HttpResponse(encode_json(body), status=status, content_type="application/problem+json")


def _answer(status: int, body: dict[str, Any]) -> HttpResponse:
    return HttpResponse(encode_json(body), status=status, content_type="application/json")
