"""How customers pay."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework.response import Response
from rest_framework.views import APIView

from billing.facade import Customer, clock_of, get_customer
from collection.api import answers, inputs, present
from collection.models import PayingCustomer
from collection.queries.accounts import paying_customer
from collection.queries.dunning import is_suspended
from collection.services.customers import change_customer, payment_setup_page
from collection.services.dunning import reinstate_customer
from kernel.clock import system_clock
from rest.access import Permission


def _customer(request: Any, customer: str) -> Customer:
    return get_customer(organization_id=request.auth.organization_id, customer=customer)


def _shown(paying: PayingCustomer) -> Response:
    return Response(present.payment_details(paying, is_suspended=is_suspended(paying.customer)))


class PaymentDetailsView(APIView):
    """By whom a customer pays, and with what."""

    required_permission = {"PATCH": Permission.MOVE_MONEY}
    answers = {"GET": answers.PaymentDetails, "PATCH": answers.PaymentDetails}

    def get(self, request: Any, customer: str) -> Response:
        return _shown(paying_customer(_customer(request, customer)))

    @extend_schema(request=inputs.PaymentDetailsInput)
    def patch(self, request: Any, customer: str) -> Response:
        body = inputs.PaymentDetailsInput(data=request.data, partial=True)
        body.is_valid(raise_exception=True)
        found = _customer(request, customer)
        return _shown(change_customer(customer=found, actor=request.auth.hint, **body.validated_data))


class PaymentSetupLinkView(APIView):
    """A page of the provider's on which the customer gives a card or an account, for charges to come."""

    required_permission = Permission.MOVE_MONEY
    answers = {"POST": answers.Link}

    @extend_schema(request=inputs.ReturnInput)
    def post(self, request: Any, customer: str) -> Response:
        body = inputs.ReturnInput(data=request.data)
        body.is_valid(raise_exception=True)
        found = _customer(request, customer)
        return Response({"url": payment_setup_page(customer=found, now=system_clock(), **body.validated_data)})


class ReinstateView(APIView):
    """Lifts the suspension of a customer who has not paid. The invoices that caused it will not suspend it again."""

    required_permission = Permission.MOVE_MONEY
    answers = {"POST": answers.PaymentDetails}

    @extend_schema(request=None)
    def post(self, request: Any, customer: str) -> Response:
        found = _customer(request, customer)
        reinstate_customer(customer=found, now=clock_of(found)())
        return _shown(paying_customer(found))
