"""Documents as files, and what an organization says of itself on them."""

from __future__ import annotations

from typing import Any

from django.http import HttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.negotiation import BaseContentNegotiation
from rest_framework.response import Response
from rest_framework.views import APIView

from billing.api import answers, present
from billing.api.serializers import SellerProfileInput
from billing.documents.logos import MOST_BYTES, LogoInvalid, LogoTooLarge
from billing.documents.making import credit_note_pdf, credit_note_xml, invoice_pdf, invoice_xml
from billing.models import SellerProfile
from billing.queries.invoices import get_invoice
from billing.queries.payments import get_credit_note
from billing.queries.sellers import seller_profile_of
from billing.services.sellers import change_logo, change_seller_profile
from kernel.clock import system_clock
from kernel.errors import InvalidError, NotFoundError
from rest.permissions import ADMIN, READ

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
    headers = {"Content-Disposition": f'inline; filename="{name}"', "Cache-Control": "private, no-store"}
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


class SellerProfileView(APIView):
    """What stands on documents issued from now on. Those that are issued keep what they were issued with."""

    required_scope = {"GET": READ, "PATCH": ADMIN}
    answers = {"GET": answers.SellerProfile, "PATCH": answers.SellerProfile}

    def get(self, request: Any) -> Response:
        return Response(present.seller_profile(seller_profile_of(request.auth.organization_id)))

    @extend_schema(request=SellerProfileInput)
    def patch(self, request: Any) -> Response:
        body = SellerProfileInput(data=request.data)
        body.is_valid(raise_exception=True)
        changed = change_seller_profile(
            organization_id=request.auth.organization_id,
            now=system_clock(),
            actor=request.auth.hint,
            **body.validated_data,
        )
        return Response(present.seller_profile(changed))


class SellerLogoView(APIView):
    """The logo: the body is a PNG or an SVG of at most 256 KiB."""

    required_scope = {"GET": READ, "PUT": ADMIN, "DELETE": ADMIN}
    content_negotiation_class = AsItIs
    answers = {"PUT": answers.SellerProfile, "DELETE": answers.SellerProfile}

    @extend_schema(responses={(200, "image/*"): OpenApiTypes.BINARY})
    def get(self, request: Any) -> HttpResponse:
        logo = seller_profile_of(request.auth.organization_id).logo
        if logo is None:
            raise NotFoundError("There is no logo", code="logo_not_found")
        headers = {"Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; sandbox"}
        return HttpResponse(bytes(logo.content), content_type=logo.media_type, headers=headers)

    @extend_schema(request={"image/png": OpenApiTypes.BINARY, "image/svg+xml": OpenApiTypes.BINARY})
    def put(self, request: Any) -> Response:
        body = request._request.read(MOST_BYTES + 1)
        if not body:
            raise LogoInvalid("The body is the picture")
        if len(body) > MOST_BYTES:
            raise LogoTooLarge(f"A logo has at most {MOST_BYTES // 1024} KiB")
        return self._changed(request, body)

    @extend_schema(request=None)
    def delete(self, request: Any) -> Response:
        return self._changed(request, None)

    @staticmethod
    def _changed(request: Any, content: bytes | None) -> Response:
        profile: SellerProfile = change_logo(
            organization_id=request.auth.organization_id, content=content, now=system_clock(), actor=request.auth.hint
        )
        return Response(present.seller_profile(profile))
