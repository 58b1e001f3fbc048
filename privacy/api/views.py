"""Privacy: what is held about a customer, and removing it. All of it needs the permission `manage_privacy`."""

from __future__ import annotations

from typing import Any

from django.http import StreamingHttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.facade import privacy_policy_of
from billing.facade import Customer, clock_of, get_customer
from kernel.clock import system_clock
from privacy.api import answers as shapes
from privacy.services.exporting import export_customer
from privacy.services.merging import merge_customers, preview_merge
from privacy.services.policy import set_privacy_policy
from privacy.services.removing import anonymize_customer, erase_customer
from rest.access import Permission
from rest.idempotency import idempotent


class PrivacyView(APIView):
    required_permission = Permission.MANAGE_PRIVACY


class PrivacyPolicyView(PrivacyView):
    """How long documents of erased customers are kept, and which fields of usage events are personal."""

    answers = {"GET": shapes.PrivacyPolicyAnswer, "PATCH": shapes.PrivacyPolicyAnswer}

    def get(self, request: Any) -> Response:
        return Response(shapes.present_policy(privacy_policy_of(request.auth.organization_id)))

    @extend_schema(request=shapes.PrivacyPolicyInput)
    def patch(self, request: Any) -> Response:
        """Personal fields are encrypted in events that come from now on."""
        body = shapes.PrivacyPolicyInput(data=request.data)
        body.is_valid(raise_exception=True)
        policy = set_privacy_policy(
            organization_id=request.auth.organization_id, now=system_clock(), **body.validated_data
        )
        return Response(shapes.present_policy(policy))


class AnonymizeView(PrivacyView):
    answers = {"POST": shapes.RemovalAnswer}

    @extend_schema(request=shapes.AnonymizeInput)
    @idempotent
    def post(self, request: Any, customer: str) -> Response:
        """Remove the customer's personal details; usage, invoices and payments stay. Safe to repeat."""
        body = shapes.AnonymizeInput(data=request.data)
        body.is_valid(raise_exception=True)
        found = get_customer(organization_id=request.auth.organization_id, customer=customer)
        return Response(shapes.present_removal(anonymize_customer(customer=found, now=clock_of(found)())))


class EraseView(PrivacyView):
    answers = {"POST": shapes.RemovalAnswer}

    @extend_schema(request=shapes.EraseInput)
    @idempotent
    def post(self, request: Any, customer: str) -> Response:
        """Anonymize the customer and end all that is left of it. Refused with 409 while something is open:
        `subscription_active`, `draft_open`, `invoice_unpaid`, `usage_unbilled`, `credit_left`, `charge_pending`."""
        body = shapes.EraseInput(data=request.data)
        body.is_valid(raise_exception=True)
        found = get_customer(organization_id=request.auth.organization_id, customer=customer)
        return Response(
            shapes.present_removal(erase_customer(customer=found, now=clock_of(found)(), **body.validated_data))
        )


class MergeView(PrivacyView):
    answers = {"POST": shapes.MergeAnswer}

    @extend_schema(request=shapes.MergeInput)
    @idempotent
    def post(self, request: Any, customer: str) -> Response:
        """Let the customer's usage count for another one from now on. Refused with 409 and every reason in `errors`
        while something has to be settled first."""
        body = shapes.MergeInput(data=request.data)
        body.is_valid(raise_exception=True)
        organization_id = request.auth.organization_id
        merged = get_customer(organization_id=organization_id, customer=customer)
        into = get_customer(organization_id=organization_id, customer=body.validated_data["into"])
        work = preview_merge if body.validated_data["preview"] else merge_customers
        return Response(shapes.present_merge(work(customer=merged, into=into, now=clock_of(into)())))


class ExportView(PrivacyView):
    """All that is held about a customer, as one JSON document that is sent while it is read."""

    answers = {"GET": OpenApiTypes.OBJECT}

    def get(self, request: Any, customer: str) -> StreamingHttpResponse:
        found = get_customer(organization_id=request.auth.organization_id, customer=customer)
        return streamed_export(found)


def streamed_export(customer: Customer) -> StreamingHttpResponse:
    """The export of a customer as a file to be saved."""
    answer = StreamingHttpResponse(
        export_customer(customer=customer, now=system_clock()), content_type="application/json"
    )
    answer["Content-Disposition"] = f'attachment; filename="{customer.pk}.json"'
    answer["Cache-Control"] = "private, no-store"
    return answer
