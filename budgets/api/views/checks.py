"""What agents ask before they act, and what becomes of what was reserved."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from drf_spectacular.utils import extend_schema
from rest_framework.response import Response
from rest_framework.views import APIView

from budgets.api import answers, present
from budgets.api.inputs import CheckInput, CommitInput
from budgets.api.quick import read_ask
from budgets.contracts import Ask
from budgets.models import Reservation
from budgets.services.checking import check_entitlement
from budgets.services.reservations import commit_reservation, get_reservation, release_reservation
from kernel.clock import system_clock
from kernel.errors import ForbiddenError, InvalidError, NotFoundError
from rest.access import Permission
from rest.idempotency import idempotent
from rest.renderers import encode_json

#: Bytes of an ordinary question at most.
_SHORT = 10_000


class CheckView(APIView):
    """Whether an agent may do this now. With `reserve`, what it will use is held for it until it commits, releases or
    lets it expire."""

    required_permission = Permission.CHECK_BUDGETS
    answers = {"POST": answers.VerdictAnswer}
    takes_customer_keys = True

    def dispatch(self, request: Any, *args: Any, **kwargs: Any) -> HttpResponseBase:
        ask = _ordinary(request)
        if ask is None:
            return super().dispatch(request, *args, **kwargs)
        try:
            [authenticator] = self.get_authenticators()
            _, request.auth = authenticator.authenticate(request) or (None, None)
            for permission in self.get_permissions():
                permission.has_permission(request, self)
            return HttpResponse(encode_json(self._answer(request, ask)), content_type="application/json")
        except Exception as error:
            refusal: HttpResponseBase | None = self.get_exception_handler()(error, {"view": self, "request": request})
            if refusal is None:
                raise
            return refusal

    @extend_schema(request=CheckInput)
    @idempotent
    def post(self, request: Any) -> Response:
        body = CheckInput(data=request.data)
        body.is_valid(raise_exception=True)
        fields = dict(body.validated_data)
        if fields.get("feature") is not None and fields.get("meter") is not None:
            raise InvalidError("A check is of a feature or of a meter, not of both", code="feature_or_meter")
        if request.auth.customer is not None:
            fields.setdefault("customer", request.auth.customer)
        if "customer" not in fields:
            raise InvalidError("Say which customer it is for", code="customer_missing")
        lifetime = timedelta(seconds=fields.pop("lifetime_seconds"))
        return Response(self._answer(request, Ask(**fields, lifetime=lifetime)))

    def _answer(self, request: Any, ask: Ask) -> dict[str, Any]:
        own = request.auth.customer
        if own is not None:
            if ask.customer != own:
                raise ForbiddenError("A customer's API key asks for that customer", code="customer_key_refused")
            ask = replace(ask, is_customers_own=True)
        verdict = check_entitlement(organization_id=request.auth.organization_id, ask=ask, now=system_clock())
        return present.verdict(verdict)


def _ordinary(request: HttpRequest) -> Ask | None:
    """What a request asks that can go the short way."""
    length = request.META.get("CONTENT_LENGTH") or ""
    is_ordinary = (
        request.method == "POST"
        and request.content_type == "application/json"
        and "Idempotency-Key" not in request.headers
        and length.isdigit()
        and int(length) <= _SHORT
    )
    return read_ask(request.body) if is_ordinary else None


class ReservationView(APIView):
    """Can be looked at for a week after it has ended."""

    required_permission = Permission.SEE_RESERVATIONS
    answers = {"GET": answers.ReservationAnswer}
    takes_customer_keys = True

    def get(self, request: Any, reservation: str) -> Response:
        return Response(present.reservation(_own(request, reservation)))


class CommitView(APIView):
    """The work is done: its usage counts from now on instead of what was held. Twice is once."""

    required_permission = Permission.CHECK_BUDGETS
    answers = {"POST": answers.ReservationAnswer}
    takes_customer_keys = True

    @extend_schema(request=CommitInput)
    def post(self, request: Any, reservation: str) -> Response:
        body = CommitInput(data=request.data)
        body.is_valid(raise_exception=True)
        found = _own(request, reservation)
        commit_reservation(
            organization_id=found.organization_id, reservation=found.pk, now=system_clock(), **body.validated_data
        )
        return Response(present.reservation(_own(request, reservation)))


class ReleaseView(APIView):
    """The work is not done: what was held is free again. Twice is once."""

    required_permission = Permission.CHECK_BUDGETS
    answers = {"POST": answers.ReservationAnswer}
    takes_customer_keys = True

    @extend_schema(request=None)
    def post(self, request: Any, reservation: str) -> Response:
        found = _own(request, reservation)
        release_reservation(organization_id=found.organization_id, reservation=found.pk, now=system_clock())
        return Response(present.reservation(_own(request, reservation)))


def _own(request: Any, reservation: str) -> Reservation:
    """The reservation, which for a customer's key is one of that customer."""
    found = get_reservation(organization_id=request.auth.organization_id, reservation=reservation)
    if request.auth.customer not in (None, found.customer.key):
        raise NotFoundError(f"There is no reservation {reservation!r}", code="reservation_not_found")
    return found
