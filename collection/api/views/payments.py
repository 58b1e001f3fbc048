"""Collecting an invoice, and what providers were asked and did."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework.response import Response
from rest_framework.views import APIView

from billing.facade import Invoice, get_customer, get_invoice
from collection.api import answers, inputs, present
from collection.models.calls import CallKind, CallState
from collection.models.dunning import DunningState
from collection.queries.payments import (
    calls_of,
    collection_of,
    collections_of,
    get_call,
    get_provider_payment,
    provider_payments_of,
)
from collection.services.again import repeat_call
from collection.services.charging import ask_to_charge
from collection.services.customers import payment_page
from collection.services.links import payment_link
from kernel.clock import system_clock
from kernel.errors import InvalidError, NotFoundError
from rest.access import Permission
from rest.pagination import page
from rest.schema import page_of


class CollectionMissing(NotFoundError):
    """Nobody collects this invoice: it is a draft, or was settled before the organization began to collect."""

    code = "invoice_collection_not_found"


def _invoice(request: Any, invoice: str) -> Invoice:
    return get_invoice(organization_id=request.auth.organization_id, invoice=invoice)


def _choice(request: Any, name: str, values: list[str]) -> str | None:
    """A query parameter that is one of `values`, None where it is missing."""
    value: str = request.query_params.get(name) or ""
    if value and value not in values:
        raise InvalidError(f"{name} is one of {', '.join(values)}", code=f"{name}_invalid")
    return value or None


def _filters(request: Any) -> dict[str, Any]:
    found: dict[str, Any] = {}
    if invoice := request.query_params.get("invoice"):
        found["invoice"] = _invoice(request, invoice)
    if customer := request.query_params.get("customer"):
        found["customer_id"] = get_customer(organization_id=request.auth.organization_id, customer=customer).pk
    return found


class CollectionsView(APIView):
    """What is still open, by its dunning state."""

    answers = {"GET": page_of(answers.InvoiceCollection)}
    filters = ("state", "customer")

    def get(self, request: Any) -> Response:
        filters = _filters(request)
        filters.pop("invoice", None)
        state = _choice(request, "state", DunningState.values)
        rows = collections_of(request.auth.organization_id, state=state, **filters)
        return Response(page(rows, request.query_params, present.collection, newest_first=True))


class CollectionView(APIView):
    """How collecting an invoice stands."""

    answers = {"GET": answers.InvoiceCollection}

    def get(self, request: Any, invoice: str) -> Response:
        found = collection_of(_invoice(request, invoice))
        if found is None:
            raise CollectionMissing("Nobody collects this invoice")
        return Response(present.collection(found))


class ChargeView(APIView):
    """Charges what is due now, whatever the schedule says; one that is under way is answered instead."""

    required_permission = Permission.MOVE_MONEY
    statuses = {"POST": 202}
    answers = {"POST": answers.ProviderCall}

    @extend_schema(request=None)
    def post(self, request: Any, invoice: str) -> Response:
        call = ask_to_charge(invoice=_invoice(request, invoice), now=system_clock(), actor=request.auth.hint)
        return Response(present.call(call), status=202)


class PaymentLinkView(APIView):
    """Where the customer pays an invoice."""

    required_permission = Permission.MOVE_MONEY
    answers = {"POST": answers.PaymentLink}

    @extend_schema(request=inputs.ReturnInput)
    def post(self, request: Any, invoice: str) -> Response:
        body = inputs.ReturnInput(data=request.data)
        body.is_valid(raise_exception=True)
        found = _invoice(request, invoice)
        hosted = payment_page(invoice=found, now=system_clock(), **body.validated_data)
        return Response({"url": payment_link(found) or hosted, "page_url": hosted})


class CallsView(APIView):
    """What providers were asked for, newest first."""

    answers = {"GET": page_of(answers.ProviderCall)}
    filters = ("invoice", "customer", "state", "kind")

    def get(self, request: Any) -> Response:
        rows = calls_of(
            request.auth.organization_id,
            state=_choice(request, "state", CallState.values),
            kind=_choice(request, "kind", CallKind.values),
            **_filters(request),
        )
        return Response(page(rows, request.query_params, present.call, newest_first=True))


class CallView(APIView):
    answers = {"GET": answers.ProviderCall}

    def get(self, request: Any, call: str) -> Response:
        return Response(present.call(get_call(organization_id=request.auth.organization_id, call=call)))


class RepeatView(APIView):
    """Goes on with a call that came to nothing, or of which nobody knows what it came to."""

    required_permission = Permission.MOVE_MONEY
    statuses = {"POST": 202}
    answers = {"POST": answers.ProviderCall}

    @extend_schema(request=None)
    def post(self, request: Any, call: str) -> Response:
        found = get_call(organization_id=request.auth.organization_id, call=call)
        return Response(present.call(repeat_call(call=found, now=system_clock(), actor=request.auth.hint)), status=202)


class ProviderPaymentsView(APIView):
    """What providers took for invoices, newest first, with what they gave back of it."""

    answers = {"GET": page_of(answers.ProviderPayment)}
    filters = ("invoice", "customer")

    def get(self, request: Any) -> Response:
        rows = provider_payments_of(request.auth.organization_id, **_filters(request))
        return Response(page(rows, request.query_params, present.provider_payment, newest_first=True))


class ProviderPaymentView(APIView):
    answers = {"GET": answers.ProviderPayment}

    def get(self, request: Any, payment: str) -> Response:
        found = get_provider_payment(organization_id=request.auth.organization_id, payment=payment)
        return Response(present.provider_payment(found))
