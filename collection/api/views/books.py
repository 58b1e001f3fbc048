"""Money that came by the bank, and what differs from the provider's books."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework.response import Response
from rest_framework.views import APIView

from billing.facade import get_invoice
from collection.api import answers, inputs, present
from collection.queries.payments import bank_transfers_of, differences_of, get_bank_transfer, reconciliations_of
from collection.services.bank_transfers import match_bank_transfer, record_bank_transfer
from collection.tasks import ask_to_reconcile
from kernel.clock import system_clock
from kernel.errors import InvalidError
from rest.access import Permission
from rest.pagination import page
from rest.schema import page_of


def _flag(request: Any, name: str) -> bool | None:
    """A query parameter that is `true` or `false`, None where it is missing."""
    value = request.query_params.get(name)
    if not value:
        return None
    if value not in {"true", "false"}:
        raise InvalidError(f"{name} is true or false", code=f"{name}_invalid")
    return bool(value == "true")


class BankTransfersView(APIView):
    """Transfers that people or a bank's exports tell of, each once by the bank's reference. They pay the invoice that
    is named, or the one whose number stands in the text."""

    required_permission = {"POST": Permission.MOVE_MONEY}
    statuses = {"POST": 201}
    answers = {"GET": page_of(answers.BankTransfer), "POST": answers.BankTransfer}
    filters = ("unmatched",)

    def get(self, request: Any) -> Response:
        rows = bank_transfers_of(request.auth.organization_id, is_unmatched=_flag(request, "unmatched"))
        return Response(page(rows, request.query_params, present.bank_transfer, newest_first=True))

    @extend_schema(request=inputs.BankTransferInput)
    def post(self, request: Any) -> Response:
        body = inputs.BankTransferInput(data=request.data)
        body.is_valid(raise_exception=True)
        fields, organization_id = dict(body.validated_data), request.auth.organization_id
        if "invoice" in fields:
            fields["invoice"] = get_invoice(organization_id=organization_id, invoice=fields["invoice"])
        made = record_bank_transfer(
            organization_id=organization_id, now=system_clock(), actor=request.auth.hint, **fields
        )
        return Response(present.bank_transfer(made), status=201)


class BankTransferView(APIView):
    answers = {"GET": answers.BankTransfer}

    def get(self, request: Any, transfer: str) -> Response:
        found = get_bank_transfer(organization_id=request.auth.organization_id, transfer=transfer)
        return Response(present.bank_transfer(found))


class MatchView(APIView):
    """Says which invoice an unmatched transfer is for."""

    required_permission = Permission.MOVE_MONEY
    answers = {"POST": answers.BankTransfer}

    @extend_schema(request=inputs.MatchInput)
    def post(self, request: Any, transfer: str) -> Response:
        body = inputs.MatchInput(data=request.data)
        body.is_valid(raise_exception=True)
        organization_id = request.auth.organization_id
        found = get_bank_transfer(organization_id=organization_id, transfer=transfer)
        invoice = get_invoice(organization_id=organization_id, invoice=body.validated_data["invoice"])
        matched = match_bank_transfer(transfer=found, invoice=invoice, now=system_clock(), actor=request.auth.hint)
        return Response(present.bank_transfer(matched))


class ReconciliationsView(APIView):
    """Comparisons with the provider, newest first. One is made every night; a POST asks for one now."""

    required_permission = {"POST": Permission.MOVE_MONEY}
    statuses = {"POST": 202}
    answers = {"GET": page_of(answers.Reconciliation), "POST": answers.Started}

    def get(self, request: Any) -> Response:
        rows = reconciliations_of(request.auth.organization_id)
        return Response(page(rows, request.query_params, present.reconciliation, newest_first=True))

    @extend_schema(request=None)
    def post(self, request: Any) -> Response:
        ask_to_reconcile(organization_id=request.auth.organization_id)
        return Response({"status": "started"}, status=202)


class DifferencesView(APIView):
    """What our books and the provider's say differently, newest first; `open=true`: what still differs."""

    answers = {"GET": page_of(answers.Difference)}
    filters = ("open", "kind")

    def get(self, request: Any) -> Response:
        kind = request.query_params.get("kind") or None
        if kind and "\x00" in kind:
            raise InvalidError("A kind has no such characters", code="kind_invalid")
        rows = differences_of(request.auth.organization_id, is_open=_flag(request, "open"), kind=kind)
        return Response(page(rows, request.query_params, present.difference, newest_first=True))
