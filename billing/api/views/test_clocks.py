from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework.response import Response
from rest_framework.views import APIView

from billing.api import answers, present
from billing.api.serializers import AdvanceInput, TestClockInput
from billing.queries.clocks import get_test_clock, test_clocks_of
from billing.services.test_clocks import advance_test_clock, create_test_clock
from rest.idempotency import idempotent
from rest.pagination import page
from rest.schema import page_of


class TestClocksView(APIView):
    __test__ = False
    answers = {"GET": page_of(answers.TestClock), "POST": answers.TestClock}

    def get(self, request: Any) -> Response:
        return Response(page(test_clocks_of(request.auth.organization_id), request.query_params, present.test_clock))

    @extend_schema(request=TestClockInput)
    @idempotent
    def post(self, request: Any) -> Response:
        body = TestClockInput(data=request.data)
        body.is_valid(raise_exception=True)
        clock = create_test_clock(organization=request.auth.organization, now=body.validated_data["now"])
        return Response(present.test_clock(clock), status=201)


class TestClockView(APIView):
    __test__ = False
    answers = {"GET": answers.TestClock}

    def get(self, request: Any, test_clock: str) -> Response:
        found = get_test_clock(organization_id=request.auth.organization_id, test_clock=test_clock)
        return Response(present.test_clock(found))


class AdvanceView(APIView):
    """Moves a clock forward and issues every invoice that falls due on the way."""

    answers = {"POST": answers.AdvancedTestClock}

    @extend_schema(request=AdvanceInput)
    def post(self, request: Any, test_clock: str) -> Response:
        body = AdvanceInput(data=request.data)
        body.is_valid(raise_exception=True)
        found = get_test_clock(organization_id=request.auth.organization_id, test_clock=test_clock)
        clock, issued = advance_test_clock(test_clock=found, to=body.validated_data["to"])
        return Response(present.test_clock(clock) | {"invoices": issued})
