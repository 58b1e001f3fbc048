"""Invoices as PDF in the console, and the page of what stands on them."""

from __future__ import annotations

from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from billing.facade import issue_credit_note, seller_profile_of
from kernel.clock import system_clock
from tests.billing.documents.conftest import LOGO
from tests.console.conftest import Vendor, make_vendor


def test_an_invoice_is_shown_in_a_frame_of_this_console_only(vendor: Vendor) -> None:
    invoice = vendor.invoice_of("birch")
    page = vendor.client.get(f"/invoices/{invoice.pk}/preview")
    assert f'src="/invoices/{invoice.pk}/pdf#' in page.content.decode()
    assert "frame-src 'self'" in page["Content-Security-Policy"]
    shown = vendor.client.get(f"/invoices/{invoice.pk}/pdf")
    assert shown.content.startswith(b"%PDF-1.7")
    assert shown["X-Frame-Options"] == "SAMEORIGIN"
    assert shown["Content-Security-Policy"] == "frame-ancestors 'self'"
    assert shown["Content-Disposition"] == f'inline; filename="{invoice.number}.pdf"'
    saved = vendor.client.get(f"/invoices/{invoice.pk}/pdf?download")
    assert saved["Content-Disposition"] == f'attachment; filename="{invoice.number}.pdf"'
    assert saved.content == shown.content


def test_credit_notes_are_files_too(vendor: Vendor) -> None:
    note = issue_credit_note(invoice=vendor.invoice_of("birch"), now=system_clock())
    assert vendor.client.get(f"/credit-notes/{note.pk}/pdf").content.startswith(b"%PDF-1.7")


def test_files_of_others_are_not_there(vendor: Vendor) -> None:
    stranger = make_vendor("Stranger").client
    invoice = vendor.invoice_of("birch")
    for path in (f"/invoices/{invoice.pk}/pdf", f"/invoices/{invoice.pk}/preview"):
        assert stranger.get(path).status_code == 404
        assert Client().get(path).status_code == 302


def test_the_seller_is_changed_by_a_form_that_says_what_is_wrong(vendor: Vendor) -> None:
    fields = {"legal_name": "Birch & Co", "country": "DE", "color": "#0B6E4F", "locale": "de"}
    assert "need yet" in vendor.client.get("/seller").content.decode()
    wrong = vendor.client.post("/seller/change", fields | {"iban": "DE00", "vat_id": "1"})
    assert wrong.status_code == 422
    assert "its check digits are wrong" in wrong.content.decode()
    assert "A VAT id begins with the letters" in wrong.content.decode()
    assert vendor.client.post("/seller/change", fields).status_code == 302
    page = vendor.client.get("/seller").content.decode()
    assert "Birch &amp; Co" in page
    assert "German" in page
    assert seller_profile_of(vendor.organization.pk).color == "#0b6e4f"


def test_a_logo_is_put_up_shown_and_taken_away(vendor: Vendor) -> None:
    logo = SimpleUploadedFile("logo.svg", LOGO, content_type="image/svg+xml")
    assert vendor.client.post("/seller/logo", {"logo": logo}).status_code == 302
    assert vendor.client.get("/seller/logo/picture").content == LOGO
    bad = SimpleUploadedFile("logo.svg", b"<svg/>", content_type="image/svg+xml")
    assert vendor.client.post("/seller/logo", {"logo": bad}).status_code == 422
    assert vendor.client.post("/seller/logo", {}).status_code == 302
    assert vendor.client.get("/seller/logo/picture").status_code == 404


def test_a_viewer_sees_the_seller_and_changes_nothing(vendor: Vendor) -> None:
    viewer = vendor.member("viewer")
    assert "/seller/change" not in viewer.get("/seller").content.decode()
    for path in ("/seller/change", "/seller/logo"):
        assert viewer.post(path, {}).status_code == 403
