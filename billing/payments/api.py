"""API of payments and credit notes."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.response import Response
from rest_framework.views import APIView

from billing.customers.queries import get_customer
from billing.invoicing import answers as invoicing_answers
from billing.invoicing import presenters as invoicing_presenters
from billing.invoicing.queries import get_invoice
from billing.models import Invoice
from billing.payments import answers, presenters
from billing.payments.credit_notes import CREDIT_BALANCE, NONE, REFUND, issue_credit_note
from billing.payments.models import CreditNoteKind
from billing.payments.queries import credit_notes_of, get_credit_note, get_payment, payments_of
from billing.payments.services import pay_invoice, refund_payment, void_invoice, write_off_invoice
from billing.test_clocks.queries import clock_of
from rest.access import Permission
from rest.idempotency import clicked_once, idempotent
from rest.pagination import page
from rest.schema import page_of
from rest.serializers import DecimalField, InstantField, StrictSerializer


class PayInput(StrictSerializer):
    """Without an amount, all that is due is paid."""

    amount = DecimalField(required=False)
    method = serializers.CharField(max_length=40, required=False)
    reference = serializers.CharField(max_length=200, required=False, allow_blank=True)
    paid_at = InstantField(required=False)


class RefundInput(StrictSerializer):
    """Without an amount, all that is left of the payment is given back."""

    amount = DecimalField(required=False)
    reference = serializers.CharField(max_length=200, required=False, allow_blank=True)


class CreditNoteLineInput(StrictSerializer):
    line = serializers.CharField(max_length=30)
    amount = DecimalField()


class CreditNoteInput(StrictSerializer):
    """Without lines, all that is left of the invoice is taken back."""

    many_lines = ("reason",)

    invoice = serializers.CharField(max_length=30)
    kind = serializers.ChoiceField(choices=CreditNoteKind.choices, default=CreditNoteKind.CORRECTION)
    reason = serializers.CharField(max_length=2000, required=False, allow_blank=True)
    lines = CreditNoteLineInput(many=True, required=False, allow_empty=False)
    refund = serializers.ChoiceField(choices=[CREDIT_BALANCE, REFUND, NONE], default=CREDIT_BALANCE)

    def validate_lines(self, lines: list[dict[str, Any]]) -> list[dict[str, Any]]:
        if len({one["line"] for one in lines}) < len(lines):
            raise serializers.ValidationError("Name each line once")
        return lines


def _invoice(request: Any, invoice: str) -> Invoice:
    return get_invoice(organization_id=request.auth.organization_id, invoice=invoice)


def _shown(request: Any, invoice: Invoice) -> Response:
    return Response(invoicing_presenters.invoice(_invoice(request, invoice.pk)))


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

    required_permission = Permission.MOVE_MONEY
    answers = {"POST": invoicing_answers.Invoice}

    @extend_schema(request=PayInput)
    @clicked_once
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

    required_permission = Permission.MOVE_MONEY
    answers = {"POST": invoicing_answers.Invoice}

    @extend_schema(request=None)
    @idempotent
    def post(self, request: Any, invoice: str) -> Response:
        found = _invoice(request, invoice)
        void_invoice(invoice=found, now=clock_of(found.customer)(), actor=request.auth.hint)
        return _shown(request, found)


class UncollectibleView(APIView):
    """Writes off what is due."""

    required_permission = Permission.MOVE_MONEY
    answers = {"POST": invoicing_answers.Invoice}

    @extend_schema(request=None)
    @idempotent
    def post(self, request: Any, invoice: str) -> Response:
        found = _invoice(request, invoice)
        write_off_invoice(invoice=found, now=clock_of(found.customer)(), actor=request.auth.hint)
        return _shown(request, found)


class PaymentsView(APIView):
    """Payments, and refunds as negative ones."""

    answers = {"GET": page_of(answers.Payment)}
    filters = ("customer", "invoice")

    def get(self, request: Any) -> Response:
        rows = payments_of(request.auth.organization_id, **_filters(request))
        return Response(page(rows, request.query_params, presenters.payment))


class PaymentView(APIView):
    answers = {"GET": answers.Payment}

    def get(self, request: Any, payment: str) -> Response:
        found = get_payment(organization_id=request.auth.organization_id, payment=payment)
        return Response(presenters.payment(found))


class RefundView(APIView):
    """Gives a payment back, all that is left of it unless an amount is given; it is due again."""

    required_permission = Permission.MOVE_MONEY
    statuses = {"POST": 201}
    answers = {"POST": answers.Payment}

    @extend_schema(request=RefundInput)
    @clicked_once
    @idempotent
    def post(self, request: Any, payment: str) -> Response:
        body = RefundInput(data=request.data)
        body.is_valid(raise_exception=True)
        found = get_payment(organization_id=request.auth.organization_id, payment=payment)
        now = clock_of(found.invoice.customer)()
        refund = refund_payment(payment=found, now=now, actor=request.auth.hint, **body.validated_data)
        return Response(presenters.payment(refund), status=201)


class CreditNotesView(APIView):
    """Credit notes: what corrects a finalized invoice."""

    required_permission = {"POST": Permission.MOVE_MONEY}
    statuses = {"POST": 201}
    answers = {"GET": page_of(answers.CreditNote), "POST": answers.CreditNote}
    filters = ("customer", "invoice")

    def get(self, request: Any) -> Response:
        rows = credit_notes_of(request.auth.organization_id, **_filters(request))
        return Response(page(rows, request.query_params, presenters.credit_note))

    @extend_schema(request=CreditNoteInput)
    @clicked_once
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
        return Response(presenters.credit_note(note), status=201)


class CreditNoteView(APIView):
    answers = {"GET": answers.CreditNote}

    def get(self, request: Any, credit_note: str) -> Response:
        found = get_credit_note(organization_id=request.auth.organization_id, credit_note=credit_note)
        return Response(presenters.credit_note(found))
