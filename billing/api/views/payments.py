from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework.response import Response
from rest_framework.views import APIView

from billing.api import answers, ledger_answers, ledger_present, present
from billing.api.ledger_serializers import CreditNoteInput, PayInput, RefundInput
from billing.models import Invoice
from billing.queries.clocks import clock_of
from billing.queries.customers import get_customer
from billing.queries.invoices import get_invoice
from billing.queries.payments import credit_notes_of, get_credit_note, get_payment, payments_of
from billing.services.credit_notes import issue_credit_note
from billing.services.payments import pay_invoice, refund_payment, void_invoice, write_off_invoice
from rest.idempotency import idempotent
from rest.pagination import page
from rest.schema import page_of


def _invoice(request: Any, invoice: str) -> Invoice:
    return get_invoice(organization_id=request.auth.organization_id, invoice=invoice)


def _shown(request: Any, invoice: Invoice) -> Response:
    return Response(present.invoice(_invoice(request, invoice.pk)))


def _filters(request: Any) -> dict[str, str]:
    """The `customer` and `invoice` of a list's query, as ids."""
    organization_id, found = request.auth.organization_id, {}
    if customer := request.query_params.get("customer"):
        found["customer_id"] = get_customer(organization_id=organization_id, customer=customer).pk
    if invoice := request.query_params.get("invoice"):
        found["invoice_id"] = _invoice(request, invoice).pk
    return found


class PayView(APIView):
    """Notes a payment, of all that is due unless an amount is given."""

    answers = {"POST": answers.Invoice}

    @extend_schema(request=PayInput)
    @idempotent
    def post(self, request: Any, invoice: str) -> Response:
        body = PayInput(data=request.data)
        body.is_valid(raise_exception=True)
        found = _invoice(request, invoice)
        now = clock_of(found.customer)()
        pay_invoice(invoice=found, now=now, actor=request.auth.hint, **body.validated_data)
        return _shown(request, found)


class VoidView(APIView):
    """Voids an invoice that nothing was paid for."""

    answers = {"POST": answers.Invoice}

    @extend_schema(request=None)
    @idempotent
    def post(self, request: Any, invoice: str) -> Response:
        found = _invoice(request, invoice)
        void_invoice(invoice=found, now=clock_of(found.customer)(), actor=request.auth.hint)
        return _shown(request, found)


class UncollectibleView(APIView):
    """Writes off what is due."""

    answers = {"POST": answers.Invoice}

    @extend_schema(request=None)
    @idempotent
    def post(self, request: Any, invoice: str) -> Response:
        found = _invoice(request, invoice)
        write_off_invoice(invoice=found, now=clock_of(found.customer)(), actor=request.auth.hint)
        return _shown(request, found)


class PaymentsView(APIView):
    """Payments, and refunds as negative ones."""

    answers = {"GET": page_of(ledger_answers.Payment)}
    filters = ("customer", "invoice")

    def get(self, request: Any) -> Response:
        rows = payments_of(request.auth.organization_id, **_filters(request))
        return Response(page(rows, request.query_params, ledger_present.payment))


class PaymentView(APIView):
    answers = {"GET": ledger_answers.Payment}

    def get(self, request: Any, payment: str) -> Response:
        found = get_payment(organization_id=request.auth.organization_id, payment=payment)
        return Response(ledger_present.payment(found))


class RefundView(APIView):
    """Gives a payment back, all that is left of it unless an amount is given; it is due again."""

    answers = {"POST": ledger_answers.Payment}

    @extend_schema(request=RefundInput)
    @idempotent
    def post(self, request: Any, payment: str) -> Response:
        body = RefundInput(data=request.data)
        body.is_valid(raise_exception=True)
        found = get_payment(organization_id=request.auth.organization_id, payment=payment)
        now = clock_of(found.invoice.customer)()
        refund = refund_payment(payment=found, now=now, actor=request.auth.hint, **body.validated_data)
        return Response(ledger_present.payment(refund), status=201)


class CreditNotesView(APIView):
    """Credit notes: what corrects a finalized invoice."""

    answers = {"GET": page_of(ledger_answers.CreditNote), "POST": ledger_answers.CreditNote}
    filters = ("customer", "invoice")

    def get(self, request: Any) -> Response:
        rows = credit_notes_of(request.auth.organization_id, **_filters(request))
        return Response(page(rows, request.query_params, ledger_present.credit_note))

    @extend_schema(request=CreditNoteInput)
    @idempotent
    def post(self, request: Any) -> Response:
        body = CreditNoteInput(data=request.data)
        body.is_valid(raise_exception=True)
        fields = dict(body.validated_data)
        invoice = _invoice(request, fields.pop("invoice"))
        if "lines" in fields:
            fields["lines"] = {one["line"]: one["amount"] for one in fields["lines"]}
        now = clock_of(invoice.customer)()
        note = issue_credit_note(invoice=invoice, now=now, actor=request.auth.hint, **fields)
        return Response(ledger_present.credit_note(note), status=201)


class CreditNoteView(APIView):
    answers = {"GET": ledger_answers.CreditNote}

    def get(self, request: Any, credit_note: str) -> Response:
        found = get_credit_note(organization_id=request.auth.organization_id, credit_note=credit_note)
        return Response(ledger_present.credit_note(found))
