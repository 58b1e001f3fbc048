from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework.response import Response
from rest_framework.views import APIView

from billing.api.credits import (
    CreditBalances,
    CreditGrantAnswer,
    CreditGrantInput,
    CreditMovementAnswer,
    present_grant,
    present_holdings,
    present_movement,
)
from billing.queries.catalogue import get_pricing_unit
from billing.queries.clocks import clock_of
from billing.queries.credits import get_grant, grants_of, holdings, movements_of, with_balances
from billing.queries.customers import get_customer
from billing.services.credits import grant_credit, void_grant
from metering.facade import get_meter_version
from rest.idempotency import idempotent
from rest.pagination import page
from rest.schema import page_of


class CreditGrantsView(APIView):
    answers = {"GET": page_of(CreditGrantAnswer), "POST": CreditGrantAnswer}
    filters = ("customer",)

    def get(self, request: Any) -> Response:
        rows = grants_of(request.auth.organization_id)
        if customer := request.query_params.get("customer"):
            rows = rows.filter(customer=get_customer(organization_id=request.auth.organization_id, customer=customer))
        return Response(page(rows, request.query_params, present_grant))

    @extend_schema(request=CreditGrantInput)
    @idempotent
    def post(self, request: Any) -> Response:
        body = CreditGrantInput(data=request.data)
        body.is_valid(raise_exception=True)
        organization_id, fields = request.auth.organization_id, dict(body.validated_data)
        customer = get_customer(organization_id=organization_id, customer=fields.pop("customer"))
        if "pricing_unit" in fields:
            fields["pricing_unit"] = get_pricing_unit(organization_id=organization_id, unit=fields["pricing_unit"])
        if "meter" in fields:
            fields["meter"] = get_meter_version(organization_id=organization_id, meter=fields["meter"]).meter
        grant = grant_credit(customer=customer, now=clock_of(customer)(), **fields)
        return Response(present_grant(grant), status=201)


class CreditGrantView(APIView):
    answers = {"GET": CreditGrantAnswer}

    def get(self, request: Any, grant: str) -> Response:
        return Response(present_grant(get_grant(organization_id=request.auth.organization_id, grant=grant)))


class VoidCreditGrantView(APIView):
    """Takes back what is left of a grant."""

    answers = {"POST": CreditGrantAnswer}

    @extend_schema(request=None)
    def post(self, request: Any, grant: str) -> Response:
        found = get_grant(organization_id=request.auth.organization_id, grant=grant)
        void_grant(grant=found, now=clock_of(found.customer)())
        return Response(present_grant(get_grant(organization_id=request.auth.organization_id, grant=found.pk)))


class CreditBalanceView(APIView):
    """What a customer has in advance, by what it is of, with what expires when."""

    answers = {"GET": CreditBalances}

    def get(self, request: Any, customer: str) -> Response:
        found = get_customer(organization_id=request.auth.organization_id, customer=customer)
        now = clock_of(found)()
        return Response(present_holdings(found.key, now, holdings(customer=found, now=now)))


class CreditMovementsView(APIView):
    """The statement of a customer's credit: every movement, what it paid for, and the balance after it."""

    answers = {"GET": page_of(CreditMovementAnswer)}

    def get(self, request: Any, customer: str) -> Response:
        found = get_customer(organization_id=request.auth.organization_id, customer=customer)
        answer = page(movements_of(found), request.query_params, lambda movement: movement)
        rows = with_balances(found, answer["data"])
        return Response(answer | {"data": [present_movement(row) for row in rows]})
