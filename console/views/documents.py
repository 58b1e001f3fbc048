"""Invoices and credit notes as files, and what stands on all of them."""

from __future__ import annotations

from typing import Any

from django import forms
from django.http import HttpResponse, HttpResponseBase
from django.shortcuts import render
from django.urls import reverse

from billing.contracts import get_credit_note
from billing.facade import (
    LANGUAGES,
    SELLER_FIELDS,
    change_logo,
    change_seller_profile,
    credit_note_pdf,
    e_invoice_problem,
    get_invoice,
    invoice_pdf,
    language_of,
    seller_profile_of,
    unprintable_of_seller,
)
from console.access import page
from console.forms import Action, Done, PlainForm, form_page, posted
from console.middleware import POLICY
from kernel.clock import system_clock
from kernel.text import file_name
from rest.access import Permission

_BOTH = ("GET", "HEAD", "POST")
_FRAMING = POLICY + "; frame-src 'self'"
#: A browser shows a PDF with a viewer of its own, which any narrower policy would keep from working.
_FRAMED = "frame-ancestors 'self'"


@page()
def invoice_preview(request: Any, invoice: str) -> HttpResponseBase:
    """The PDF in a frame, with the ways to have it as a file."""
    found = get_invoice(organization_id=request.access.organization.pk, invoice=invoice)
    context = {"invoice": found, "problem": e_invoice_problem(found)}
    response = render(request, "console/invoice_preview.html", context)
    response["Content-Security-Policy"] = _FRAMING
    return response


@page()
def invoice_file(request: Any, invoice: str) -> HttpResponseBase:
    found = get_invoice(organization_id=request.access.organization.pk, invoice=invoice)
    return _file(request, invoice_pdf(found), f"{found.number or found.pk}.pdf")


@page()
def credit_note_file(request: Any, credit_note: str) -> HttpResponseBase:
    found = get_credit_note(organization_id=request.access.organization.pk, credit_note=credit_note)
    return _file(request, credit_note_pdf(found), f"{found.number}.pdf")


def _file(request: Any, content: bytes, name: str) -> HttpResponse:
    kept = "attachment" if "download" in request.GET else "inline"
    return HttpResponse(
        content,
        content_type="application/pdf",
        headers={
            "Content-Disposition": f'{kept}; filename="{file_name(name)}"',
            "Content-Security-Policy": _FRAMED,
            "X-Frame-Options": "SAMEORIGIN",
        },
    )


_LABELS = {
    "legal_name": "Legal name",
    "line1": "Street",
    "line2": "Second line of the address",
    "vat_id": "VAT id",
    "registration": "Registration",
    "iban": "IBAN",
    "bic": "BIC",
    "bank_name": "Bank",
    "email": "E-mail",
    "payment_url": "Address to pay at",
    "color": "Colour",
    "footer": "Small print",
    "locale": "Language",
}
_HELP = {
    "country": "As ISO 3166-1 has it, such as DE.",
    "vat_id": "With the letters of its country, such as DE123456789.",
    "tax_number": "For those without a VAT id.",
    "registration": "The number under which a public register knows you.",
    "payment_url": "{number} and {invoice} in it become the invoice's number and id.",
    "color": "Such as #1f4e79.",
    "locale": f"Of customers without a language of their own: {', '.join(LANGUAGES)}, or with a region, such as de-AT.",
}
#: What an e-invoice (EN 16931) needs of the seller.
_NEEDED = ("line1", "city", "country")


class SellerForm(PlainForm):
    """The service says what each field may be."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name in SELLER_FIELDS:
            widget = forms.Textarea(attrs={"rows": 3}) if name == "footer" else forms.TextInput()
            self.fields[name] = forms.CharField(
                label=_LABELS.get(name, name.replace("_", " ").capitalize()),
                required=name in ("legal_name", "color", "locale"),
                max_length=1000,
                help_text=_HELP.get(name, ""),
                widget=widget,
            )


class LogoForm(PlainForm):
    logo = forms.FileField(
        label="Picture", required=False, help_text="PNG or SVG, at most 256 KiB. Without a file the logo is taken away."
    )


@page()
def seller(request: Any) -> HttpResponseBase:
    """What stands on documents now, and what e-invoices still need."""
    profile = seller_profile_of(request.access.organization.pk)
    missing = [_LABELS.get(name, name.capitalize()) for name in _NEEDED if not getattr(profile, name)]
    if not (profile.vat_id or profile.tax_number):
        missing.append(_LABELS["vat_id"])
    rows = [(_LABELS.get(name, name.replace("_", " ").capitalize()), getattr(profile, name)) for name in SELLER_FIELDS]
    language = language_of(profile.locale).locale.get_display_name("en")
    context = {"profile": profile, "rows": [row for row in rows if row[1]], "missing": missing, "language": language}
    context["unprintable"] = unprintable_of_seller(profile)
    return render(request, "console/seller.html", context)


@page(may=Permission.MOVE_MONEY, methods=_BOTH)
def change_seller(request: Any) -> HttpResponseBase:
    profile = seller_profile_of(request.access.organization.pk)

    def work(fields: dict[str, Any]) -> Done:
        change_seller_profile(
            organization_id=request.access.organization.pk, now=system_clock(), actor=request.user.email, **fields
        )
        return Done(reverse("console:seller"), "Documents issued from now on say this.")

    initial = {name: getattr(profile, name) for name in SELLER_FIELDS}
    about = "Invoices that are issued keep what they were issued with."
    action = Action("Seller on documents", "Save", work, crumbs=_crumbs(), about=about)
    return form_page(request, SellerForm(posted(request), initial=initial), action)


@page(may=Permission.MOVE_MONEY, methods=_BOTH)
def change_seller_logo(request: Any) -> HttpResponseBase:
    def work(fields: dict[str, Any]) -> Done:
        content = fields["logo"].read() if fields["logo"] else None
        change_logo(
            organization_id=request.access.organization.pk,
            content=content,
            now=system_clock(),
            actor=request.user.email,
        )
        said = "Documents issued from now on have this logo." if content else "Documents have no logo from now on."
        return Done(reverse("console:seller"), said)

    action = Action("Logo", "Save", work, crumbs=_crumbs(), template="console/seller_logo.html")
    return form_page(request, LogoForm(posted(request), request.FILES or None), action)


@page()
def seller_logo(request: Any) -> HttpResponseBase:
    """The picture; a page that shows it as an image runs nothing in it, and neither does its own policy."""
    logo = seller_profile_of(request.access.organization.pk).logo
    if logo is None:
        return HttpResponse(status=404, content_type="text/plain")
    policy = "default-src 'none'; style-src 'unsafe-inline'; sandbox"
    return HttpResponse(bytes(logo.content), content_type=logo.media_type, headers={"Content-Security-Policy": policy})


def _crumbs() -> tuple[tuple[str, str], ...]:
    return ((reverse("console:seller"), "Seller on documents"),)
