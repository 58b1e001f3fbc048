"""Invoices as PDF: what stands on them, that it stays there, and that no name is taken for markup."""

from __future__ import annotations

import io
from decimal import Decimal
from typing import Any

import pytest
from django.db import IntegrityError, connection
from facturx import get_facturx_xml_from_pdf
from pypdf import PdfReader

from billing.customers.sellers import identity_of
from billing.documents.languages import LANGUAGES, language_of
from billing.documents.typesetting import MISSING
from billing.models import Invoice, InvoiceIdentity, SellerProfile
from kernel.errors import NotFoundError
from notifications.attachments import render_attachments
from tests.api import Api, make_api
from tests.billing.clocked import Clocked
from tests.billing.documents.conftest import LOGO, PRICES, SELLER, fee, october
from tests.billing.documents.test_seller_profile import png

pytestmark = pytest.mark.django_db


def pdf(api: Api, path: str, **parameters: str) -> bytes:
    answer = api.get(path, **parameters)
    assert (answer.status_code, answer["Content-Type"]) == (200, "application/pdf"), answer.content
    return bytes(answer.content)


def pages(content: bytes) -> list[str]:
    return [page.extract_text() for page in PdfReader(io.BytesIO(content)).pages]


def metadata(content: bytes) -> str:
    return str(PdfReader(io.BytesIO(content)).trailer["/Root"]["/Metadata"].get_data().decode())


def test_an_invoice_says_who_what_and_how_much(seller: Clocked) -> None:
    invoice = october(seller)
    [text] = pages(pdf(seller.api, f"invoices/{invoice['id']}/pdf"))
    for part in [
        "Invoice",
        "INV-000001",
        "Nordlicht Agenten GmbH · Torstraße 1 · 10119 Berlin",
        "Acme AG",
        "Hauptstraße 5",
        "80331 München",
        "November 1, 2026",
        "Oct 1\u2009\u2013\u200931, 2026",
        "DE987654321",
        "Platform fee",
        "3 seats €30.00 €90.00",
        "2 included",
        "5 €0.10 €0.50",  # 0 to 5
        "5 €0.05 €0.25",  # 5 to 10
        "VAT 19% on €139.75",
        "€26.55",
        "€166.30",
        "DE89 3704 0044 0532 0130 00",
        "https://pay.nordlicht.example/INV-000001",
        "VAT ID DE123456789",
        "Page 1 of 1",
    ]:
        assert part in text.replace("\n", " ") or part in text, (part, text)


def test_the_file_is_pdf_a_with_the_e_invoice_in_it(seller: Clocked) -> None:
    invoice = october(seller)
    content = pdf(seller.api, f"invoices/{invoice['id']}/pdf")
    assert "<pdfaid:part>3</pdfaid:part><pdfaid:conformance>A</pdfaid:conformance>" in metadata(content)
    assert "<fx:ConformanceLevel>EN 16931</fx:ConformanceLevel>" in metadata(content)
    name, xml = get_facturx_xml_from_pdf(content, check_xsd=True)
    assert name == "factur-x.xml"
    assert xml == seller.api.get(f"invoices/{invoice['id']}/xml").content
    catalog = PdfReader(io.BytesIO(content)).trailer["/Root"]
    assert [file["/AFRelationship"] for file in catalog["/AF"]] == ["/Alternative"]
    plain = pdf(seller.api, f"invoices/{invoice['id']}/pdf", format="plain")
    assert "/AF" not in PdfReader(io.BytesIO(plain)).trailer["/Root"]
    assert seller.api.get(f"invoices/{invoice['id']}/pdf", format="docx").json()["code"] == "format_invalid"


def test_a_finalized_invoice_stays_the_same_file_whatever_changes_afterwards(seller: Clocked) -> None:
    invoice = october(seller)
    before = pdf(seller.api, f"invoices/{invoice['id']}/pdf")
    assert seller.api.patch("seller_profile", {"legal_name": "Südlicht SE", "color": "#ff0000"}).status_code == 200
    assert seller.api.patch("customers/acme", {"name": "Renamed", "locale": "fr", "address": {}}).status_code == 200
    assert pdf(seller.api, f"invoices/{invoice['id']}/pdf") == before
    identity = identity_of(Invoice.objects.get(pk=invoice["id"]))
    assert (identity.seller.version, identity.buyer["name"]) == (1, "Acme AG")
    assert SellerProfile.objects.count() == 2
    with pytest.raises(IntegrityError), connection.cursor() as cursor:
        cursor.execute("UPDATE billing_invoiceidentity SET buyer = '{}'")


def test_an_invoice_finalized_before_this_was_kept_is_kept_when_first_asked_for(seller: Clocked) -> None:
    invoice = october(seller)
    InvoiceIdentity.objects.all().delete()
    before = pdf(seller.api, f"invoices/{invoice['id']}/pdf")
    seller.api.patch("customers/acme", {"name": "Renamed"})
    assert pdf(seller.api, f"invoices/{invoice['id']}/pdf") == before


@pytest.mark.parametrize(
    "name",
    [
        '#eval("1 + 1") #read("/etc/passwd") #import "@preview/x:1.0.0"',
        "$x^2$ `raw` *bold* _it_ <label> @ref [content] \\ // = /* ~",
        "<b>Acme</b> & Sons {{ 7 * 7 }} {page}",
    ],
)
def test_names_are_never_taken_for_markup(seller: Clocked, name: str) -> None:
    invoice = october(seller, name=name)
    [text] = pages(pdf(seller.api, f"invoices/{invoice['id']}/pdf"))
    assert "".join(name.split()) in "".join(text.split())


def test_what_no_font_can_write_is_shown_as_missing_and_refuses_no_invoice(seller: Clocked) -> None:
    invoice = october(seller, name="Acme 🚀 \ue000 Ltd \U00013000")
    [text] = pages(pdf(seller.api, f"invoices/{invoice['id']}/pdf"))
    assert f"Acme {MISSING}" in text
    assert seller.api.get(f"invoices/{invoice['id']}/xml").status_code == 200


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_language_has_its_own_words_and_glyphs(seller: Clocked, language: str) -> None:
    names = {"ar": "شركة المثال", "ja": "株式会社サンプル", "zh": "示例有限公司"}
    invoice = october(seller, locale=language, name=names.get(language, "Müller Søn Ñandú"))
    content = pdf(seller.api, f"invoices/{invoice['id']}/pdf")
    reader = PdfReader(io.BytesIO(content))
    text = "".join(page.extract_text() for page in reader.pages)
    assert MISSING not in text
    assert reader.trailer["/Root"]["/Lang"].startswith(language)
    fonts = {str(font["/BaseFont"]) for font in _fonts(reader)}
    scripts = {"ar": "Arabic", "ja": "JP", "zh": "Hans"}
    assert any(scripts.get(language, "NotoSans") in font.replace("-", "") for font in fonts), fonts
    if language != "ar":  # Arabic is extracted as it is drawn
        assert language_of(language).say("invoice") in text
        assert language_of(language).money(Decimal("166.30"), "EUR") in text.replace("\n", "")


def _fonts(reader: PdfReader) -> list[Any]:
    return [font for page in reader.pages for font in page["/Resources"]["/Font"].values()]


def test_a_document_is_in_the_language_of_the_customer_else_the_sellers(seller: Clocked) -> None:
    assert seller.api.patch("seller_profile", {"locale": "de-AT"}).status_code == 200
    invoice = october(seller)
    [text] = pages(pdf(seller.api, f"invoices/{invoice['id']}/pdf"))
    assert "Rechnung" in text
    assert "Zu zahlen" in text
    refused = seller.api.patch("customers/acme", {"locale": "tlh"})
    assert (refused.status_code, refused.json()["errors"][0]["code"]) == (422, "language")


def test_long_invoices_repeat_the_header_and_count_their_pages(seller: Clocked) -> None:
    seller.customer("acme", currency="EUR")
    seller.plan("long", *(fee(f"fee-{n}", "1", name=f"Fee {n}") for n in range(80)), currency="EUR")
    seller.subscribe("acme", "long")
    seller.advance("2026-11-02T12:00:00Z")
    [invoice] = seller.invoices()
    texts = pages(pdf(seller.api, f"invoices/{invoice['id']}/pdf"))
    assert len(texts) == 3
    assert all("Description" in text and f"Page {n} of 3" in text for n, text in enumerate(texts, start=1))
    assert "€80.00" in texts[-1]


def test_drafts_void_and_paid_invoices_are_marked(seller: Clocked) -> None:
    seller.api.patch("billing_policy", {"grace_hours": 240})
    invoice = october(seller)
    assert invoice["status"] == "draft"
    [text] = pages(pdf(seller.api, f"invoices/{invoice['id']}/pdf"))
    assert "This is a draft" in text
    assert "IBAN" not in text
    refused = seller.api.get(f"invoices/{invoice['id']}/xml")
    assert (refused.status_code, refused.json()["code"]) == (409, "invoice_state")

    seller.api.post(f"invoices/{invoice['id']}/finalize", {})
    assert "IBAN" in pages(pdf(seller.api, f"invoices/{invoice['id']}/pdf"))[0]
    seller.api.post(f"invoices/{invoice['id']}/pay", {})
    [text] = pages(pdf(seller.api, f"invoices/{invoice['id']}/pdf"))
    assert "Paid · November 2, 2026" in text
    assert "IBAN" not in text


def test_a_void_invoice_says_so_and_carries_no_e_invoice(seller: Clocked) -> None:
    invoice = october(seller)
    seller.api.post(f"invoices/{invoice['id']}/void", {})
    content = pdf(seller.api, f"invoices/{invoice['id']}/pdf")
    assert "This invoice is void. Nothing is due." in pages(content)[0]
    assert "/AF" not in PdfReader(io.BytesIO(content)).trailer["/Root"]
    assert seller.api.get(f"invoices/{invoice['id']}/xml").json()["code"] == "invoice_state"


def test_of_an_invoice_over_nothing_that_was_skipped_there_is_no_document(seller: Clocked) -> None:
    seller.api.patch("billing_policy", {"zero_amount": "skip"})
    seller.customer("acme", currency="EUR")
    seller.plan("free", fee("base", "0"), currency="EUR")
    seller.subscribe("acme", "free")
    seller.advance("2026-11-02T12:00:00Z")
    [invoice] = seller.invoices()
    assert invoice["status"] == "skipped"
    assert seller.api.get(f"invoices/{invoice['id']}/pdf").json()["code"] == "invoice_state"


def test_what_is_prorated_discounted_and_paid_by_credit_is_explained(seller: Clocked) -> None:
    seller.customer("acme", currency="EUR", tax_rate="0.19", address={"country": "Germany"})
    seller.plan("growth", *PRICES[:1], currency="EUR")
    seller.subscribe("acme", "growth", "2026-10-11T00:00:00Z")  # 21 of 31 days
    seller.api.post("coupons", {"key": "tenth", "name": "Tenth", "percent": "10"})
    [subscription] = seller.api.get("subscriptions").json()["data"]
    assert seller.api.post(f"subscriptions/{subscription['id']}/coupons", {"coupon": "tenth"}).status_code == 201
    credit = {"customer": "acme", "amount": "5", "currency": "EUR", "effective_at": "2026-10-01T00:00:00Z"}
    assert seller.api.post("credit_grants", credit | {"name": "Welcome"}).status_code == 201
    seller.advance("2026-11-02T12:00:00Z")
    [invoice] = seller.invoices()
    # 49 x 21/31 = 33.19; less 10 % = 29.87; 19 % = 5.68; less 5 of credit = 30.55
    content = pdf(seller.api, f"invoices/{invoice['id']}/pdf")
    [text] = pages(content)
    for part in [
        "21/31 of the full period",
        "€49.00",
        "Discount \u2212€3.32",
        "€29.87",
        "€5.68",
        "Paid from your credit",
        "€30.55",
    ]:
        assert part in text, (part, text)
    _, xml = get_facturx_xml_from_pdf(content, check_xsd=True)
    for part in [b"<ram:TotalPrepaidAmount>5.00<", b"<ram:DuePayableAmount>30.55<", b"<ram:ActualAmount>3.32<"]:
        assert part in xml


def test_credit_notes_are_documents_too(seller: Clocked) -> None:
    invoice = october(seller)
    body = {"invoice": invoice["id"], "reason": "Two agents never worked"}
    note = seller.api.post(
        "credit_notes", body | {"lines": [{"line": invoice["lines"][1]["id"], "amount": "60"}]}
    ).json()
    content = pdf(seller.api, f"credit_notes/{note['id']}/pdf")
    [text] = pages(content)
    for part in [
        "Credit note",
        "CN-000001",
        "INV-000001 of November 1,",
        "Two agents never worked",
        "€60.00",
        "€71.40",
    ]:
        assert part in text, (part, text)
    _, xml = get_facturx_xml_from_pdf(content, check_xsd=True)
    assert b"<ram:TypeCode>381</ram:TypeCode>" in xml
    assert xml == seller.api.get(f"credit_notes/{note['id']}/xml").content


def test_without_what_an_e_invoice_needs_there_is_a_plain_pdf_and_a_reason(clocked: Clocked) -> None:
    invoice = october(clocked)
    content = pdf(clocked.api, f"invoices/{invoice['id']}/pdf")
    assert "/AF" not in PdfReader(io.BytesIO(content)).trailer["/Root"]
    refused = clocked.api.get(f"invoices/{invoice['id']}/xml")
    assert (refused.status_code, refused.json()["code"]) == (422, "seller_profile_incomplete")
    assert [one["pointer"] for one in refused.json()["errors"]] == ["/line1", "/city", "/country", "/vat_id"]
    assert clocked.api.get("seller_profile").json()["missing"] == ["line1", "city", "country", "vat_id"]


def test_documents_of_others_are_not_there(seller: Clocked) -> None:
    invoice = october(seller)
    stranger = make_api("Stranger")
    for path in (f"invoices/{invoice['id']}/pdf", f"invoices/{invoice['id']}/xml"):
        assert stranger.get(path).status_code == 404
    assert stranger.get("seller_profile").json()["legal_name"] != SELLER["legal_name"]


def test_mail_about_an_invoice_carries_it(seller: Clocked) -> None:
    invoice = october(seller)
    named = [{"kind": "invoice_pdf", "id": invoice["id"]}]
    [file] = render_attachments(seller.api.organization.pk, named)
    assert (file.name, file.media_type) == ("INV-000001.pdf", "application/pdf")
    assert file.content == pdf(seller.api, f"invoices/{invoice['id']}/pdf")
    with pytest.raises(NotFoundError):
        render_attachments(make_api("Stranger").organization.pk, named)


def test_logos_are_drawn_from_svg_and_png(seller: Clocked) -> None:
    invoice = october(seller)
    plain = pdf(seller.api, f"invoices/{invoice['id']}/pdf")
    for logo in (LOGO, png(40, 40)):
        answer = seller.api.client.put("/api/v1/seller_profile/logo", data=logo, content_type="image/png")
        assert answer.status_code == 200, answer.content
        InvoiceIdentity.objects.all().delete()  # as if it was issued only now
        drawn = pdf(seller.api, f"invoices/{invoice['id']}/pdf")
        assert drawn != plain
        assert "<pdfaid:part>3</pdfaid:part>" in metadata(drawn)
