"""Documents as files, and what an organization says of itself on them."""

from __future__ import annotations

from typing import Any

from django.http import HttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.negotiation import BaseContentNegotiation
from rest_framework.views import APIView

from billing.documents.making import credit_note_pdf, credit_note_xml, invoice_pdf, invoice_xml
from billing.invoicing.queries import get_invoice
from billing.payments.queries import get_credit_note
from kernel.errors import InvalidError
from kernel.text import file_name

PDF, XML = "application/pdf", "application/xml"

_FORMAT = OpenApiParameter("format", OpenApiTypes.STR, enum=["facturx", "plain"], description="`plain`: without XML")


class AsItIs(BaseContentNegotiation):
    """A file is what it is, whatever the client says it accepts; refusals are problems in JSON."""

    def select_parser(self, request: Any, parsers: Any) -> Any:
        return parsers[0]

    def select_renderer(self, request: Any, renderers: Any, format_suffix: str | None = None) -> Any:
        return renderers[0], renderers[0].media_type


def _is_plain(request: Any) -> bool:
    asked = request.query_params.get("format", "facturx")
    if asked not in ("facturx", "plain"):
        raise InvalidError("format is facturx or plain", code="format_invalid")
    return bool(asked == "plain")


def file_answer(content: bytes, media_type: str, name: str) -> HttpResponse:
    """A file that a browser shows, and saves under `name`."""
    headers = {"Content-Disposition": f'inline; filename="{file_name(name)}"', "Cache-Control": "private, no-store"}
    return HttpResponse(content, content_type=media_type, headers=headers)


class InvoicePdfView(APIView):
    """The invoice as PDF: a Factur-X one (PDF/A-3 with EN 16931 XML in it) where seller and customer have all that
    the standard asks for, else an ordinary one."""

    content_negotiation_class = AsItIs

    @extend_schema(parameters=[_FORMAT], responses={(200, PDF): OpenApiTypes.BINARY})
    def get(self, request: Any, invoice: str) -> HttpResponse:
        found = get_invoice(organization_id=request.auth.organization_id, invoice=invoice)
        content = invoice_pdf(found, plain=_is_plain(request))
        return file_answer(content, PDF, f"{found.number or found.pk}.pdf")


class InvoiceXmlView(APIView):
    """The invoice as EN 16931 XML (Cross Industry Invoice), or what it lacks for that."""

    content_negotiation_class = AsItIs

    @extend_schema(responses={(200, XML): OpenApiTypes.BINARY})
    def get(self, request: Any, invoice: str) -> HttpResponse:
        found = get_invoice(organization_id=request.auth.organization_id, invoice=invoice)
        return file_answer(invoice_xml(found), XML, f"{found.number}.xml")


class CreditNotePdfView(APIView):
    """The credit note as PDF, like an invoice's."""

    content_negotiation_class = AsItIs

    @extend_schema(parameters=[_FORMAT], responses={(200, PDF): OpenApiTypes.BINARY})
    def get(self, request: Any, credit_note: str) -> HttpResponse:
        found = get_credit_note(organization_id=request.auth.organization_id, credit_note=credit_note)
        content = credit_note_pdf(found, plain=_is_plain(request))
        return file_answer(content, PDF, f"{found.number}.pdf")


class CreditNoteXmlView(APIView):
    """The credit note as EN 16931 XML, or what it lacks for that."""

    content_negotiation_class = AsItIs

    @extend_schema(responses={(200, XML): OpenApiTypes.BINARY})
    def get(self, request: Any, credit_note: str) -> HttpResponse:
        found = get_credit_note(organization_id=request.auth.organization_id, credit_note=credit_note)
        return file_answer(credit_note_xml(found), XML, f"{found.number}.xml")
