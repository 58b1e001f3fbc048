"""Usage that no subscription charges, and usage that two would."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, TypeVar

from rest_framework.response import Response
from rest_framework.views import APIView

from billing.invoicing.unassigned import Unassigned, unassigned_usage
from billing.subscriptions import answers as subscriptions_answers
from billing.subscriptions.overlaps import Claim, Overlap, running_overlaps
from kernel.clock import system_clock
from kernel.errors import InvalidError
from kernel.period import Period
from rest.lookup import instant_parameter
from rest.pagination import decode_cursor, encode_cursor, limit_of
from rest.schema import page_of

T = TypeVar("T")

_FIRST, _LAST = datetime(1970, 1, 1, tzinfo=UTC), datetime(2999, 12, 31, tzinfo=UTC)


class UnassignedUsageView(APIView):
    """Events that no subscription charges, by subject, subscription named, reason and type. `customer` is a subject."""

    answers = {"GET": page_of(subscriptions_answers.UnassignedUsage)}
    filters = ("customer", "from", "to")

    def get(self, request: Any) -> Response:
        asked = request.query_params
        start = instant_parameter(asked, "from") or _FIRST
        end = instant_parameter(asked, "to") or _LAST
        if start >= end:
            raise InvalidError("`from` must lie before `to`", code="period_invalid")
        found, following = unassigned_usage(
            request.auth.organization_id,
            Period(start, end),
            after=_position(asked, str),
            limit=limit_of(asked),
            customer=_subject(asked),
        )
        return Response(
            {
                "data": [_unassigned(one) for one in found],
                "next_cursor": None if following is None else encode_cursor([following]),
            }
        )


class UsageOverlapsView(APIView):
    """Pairs of prices that charge the same usage now or later: from before the second was refused."""

    answers = {"GET": page_of(subscriptions_answers.UsageOverlap)}
    filters = ()

    def get(self, request: Any) -> Response:
        limit, start = limit_of(request.query_params), _position(request.query_params, int) or 0
        found = running_overlaps(request.auth.organization_id, system_clock())
        following = encode_cursor([start + limit]) if len(found) > start + limit else None
        some = found[start : start + limit] if start >= 0 else []
        return Response({"data": [_overlap(one) for one in some], "next_cursor": following})


def _position(parameters: Mapping[str, str], kind: type[T]) -> T | None:
    """Where the page before ended, as its cursor says; None on the first page."""
    if not parameters.get("cursor"):
        return None
    position = decode_cursor(parameters["cursor"])
    if len(position) != 1 or type(position[0]) is not kind or not _is_storable(position[0]):
        raise InvalidError("This cursor belongs to another list", code="cursor_invalid")
    return position[0]


def _subject(parameters: Mapping[str, str]) -> str | None:
    subject = parameters.get("customer") or None
    if subject is not None and not _is_storable(subject):
        raise InvalidError("customer must be text without the character U+0000", code="customer_invalid")
    return subject


def _is_storable(value: object) -> bool:
    """Whether the database can be asked for it: no U+0000, no half of a surrogate pair."""
    return not isinstance(value, str) or not any(one == "\x00" or "\ud800" <= one <= "\udfff" for one in value)


def _unassigned(one: Unassigned) -> dict[str, Any]:
    return {
        "subject": one.subject,
        "subscription": one.subscription,
        "reason": one.reason,
        "type": one.count.type,
        "events": one.count.events,
        "first_at": one.count.first_at,
        "last_at": one.count.last_at,
    }


def _overlap(one: Overlap) -> dict[str, Any]:
    return {
        "customer": one.first.subscription.customer.key,
        "meter": one.first.price.meter.key if one.first.price.meter else None,
        "starts_at": one.period.start,
        "ends_at": one.ends_at,
        "first": _claim(one.first),
        "second": _claim(one.second),
    }


def _claim(one: Claim) -> dict[str, Any]:
    return {"subscription": one.subscription.pk, "plan": one.version.plan.key, "price": one.price.key}
