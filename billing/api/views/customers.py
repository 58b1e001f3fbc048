from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework.response import Response
from rest_framework.views import APIView

from billing.api import answers, present
from billing.api.serializers import CustomerInput
from billing.queries.clocks import clock_of, get_test_clock
from billing.queries.customers import customers_of, get_customer
from billing.queries.rating import PricedInvoice, Unpriceable
from billing.queries.upcoming import upcoming_invoices
from billing.services.customers import create_customer, update_customer
from kernel.clock import system_clock
from kernel.errors import InvalidError, NotFoundError
from rest.idempotency import idempotent
from rest.pagination import page
from rest.schema import page_of


class CustomersView(APIView):
    answers = {"GET": page_of(answers.Customer), "POST": answers.Customer}

    def get(self, request: Any) -> Response:
        return Response(page(customers_of(request.auth.organization_id), request.query_params, present.customer))

    @extend_schema(request=CustomerInput)
    @idempotent
    def post(self, request: Any) -> Response:
        body = CustomerInput(data=request.data)
        body.is_valid(raise_exception=True)
        fields = dict(body.validated_data)
        if fields.get("test_clock"):
            fields["test_clock"] = get_test_clock(
                organization_id=request.auth.organization_id, test_clock=fields["test_clock"]
            )
        customer = create_customer(organization=request.auth.organization, **fields)
        return Response(present.customer(customer), status=201)


class CustomerView(APIView):
    answers = {"GET": answers.Customer, "PATCH": answers.Customer}

    def get(self, request: Any, customer: str) -> Response:
        found = get_customer(organization_id=request.auth.organization_id, customer=customer)
        return Response(present.customer(found))

    @extend_schema(request=CustomerInput)
    def patch(self, request: Any, customer: str) -> Response:
        body = CustomerInput(data=request.data, partial=True)
        body.is_valid(raise_exception=True)
        found = get_customer(organization_id=request.auth.organization_id, customer=customer)
        if body.validated_data.get("key", found.key) != found.key:
            raise InvalidError("A customer's key never changes: events name it", code="key_immutable")
        if body.validated_data.get("test_clock", found.test_clock_id) != found.test_clock_id:
            raise InvalidError("A customer's test clock is settled when it is made", code="test_clock_immutable")
        body.validated_data.pop("test_clock", None)
        return Response(present.customer(update_customer(customer=found, now=system_clock(), **body.validated_data)))


class UpcomingInvoiceView(APIView):
    """What the open billing period would cost if it ended now, priced by what will issue the invoice."""

    answers = {"GET": answers.UpcomingInvoices}

    def get(self, request: Any, customer: str) -> Response:
        found = get_customer(organization_id=request.auth.organization_id, customer=customer)
        answers = upcoming_invoices(customer=found, now=clock_of(found)())
        if not answers:
            raise NotFoundError("This customer has no subscription at present", code="no_subscription")
        for answer in answers:
            if isinstance(answer, Unpriceable):
                raise answer.error
        shown = [present.upcoming(answer) for answer in answers if isinstance(answer, PricedInvoice)]
        return Response(shown[0] if len(shown) == 1 else shown[0] | {"others": shown[1:]})
