from __future__ import annotations

from typing import Any

from django.db import transaction
from drf_spectacular.utils import extend_schema
from rest_framework.response import Response
from rest_framework.views import APIView

from billing.api.charges import ChargeAnswer, ChargeInput, present_charge
from billing.queries.charges import charges_of, get_charge
from billing.queries.clocks import clock_of
from billing.queries.customers import get_customer
from billing.services.charges import create_charge, delete_charge, invoice_charge
from kernel.errors import InvalidError
from rest.idempotency import idempotent
from rest.pagination import page
from rest.schema import page_of


class ChargesView(APIView):
    """Charges made by hand. `when: now` makes an invoice of its own at once; else the charge waits for the next one."""

    answers = {"GET": page_of(ChargeAnswer), "POST": ChargeAnswer}
    filters = ("customer", "status")

    def get(self, request: Any) -> Response:
        rows = charges_of(request.auth.organization_id)
        if customer := request.query_params.get("customer"):
            rows = rows.filter(customer=get_customer(organization_id=request.auth.organization_id, customer=customer))
        if status := request.query_params.get("status"):
            if status not in {"waiting", "billed"}:
                raise InvalidError("status is waiting or billed", code="status_invalid")
            rows = rows.filter(line__isnull=status == "waiting")
        return Response(page(rows, request.query_params, present_charge))

    @extend_schema(request=ChargeInput)
    @idempotent
    def post(self, request: Any) -> Response:
        body = ChargeInput(data=request.data)
        body.is_valid(raise_exception=True)
        organization_id, fields = request.auth.organization_id, dict(body.validated_data)
        customer = get_customer(organization_id=organization_id, customer=fields.pop("customer"))
        when, now = fields.pop("when"), clock_of(customer)()
        with transaction.atomic():
            charge = create_charge(customer=customer, now=now, **fields)
            if when == "now":
                invoice_charge(charge=charge, now=now)
        return Response(present_charge(get_charge(organization_id=organization_id, charge=charge.pk)), status=201)


class ChargeView(APIView):
    answers = {"GET": ChargeAnswer}

    def get(self, request: Any, charge: str) -> Response:
        return Response(present_charge(get_charge(organization_id=request.auth.organization_id, charge=charge)))

    @extend_schema(request=None, responses={204: None})
    def delete(self, request: Any, charge: str) -> Response:
        """Takes back a charge that still waits."""
        delete_charge(charge=get_charge(organization_id=request.auth.organization_id, charge=charge))
        return Response(status=204)
