"""Signing in and out, and the organization one is in."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.hashers import PBKDF2PasswordHasher
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from accounts.facade import add_member, create_user
from billing.facade import payments_of
from tests.console.conftest import PASSWORD, Vendor, make_vendor, signed_in


class _OlderParameters(PBKDF2PasswordHasher):
    iterations = 500


def sign_in(client: Client, email: str, password: str, **more: str) -> Any:
    return client.post("/sign-in", {"username": email, "password": password, **more})


def test_a_stranger_is_led_to_the_sign_in_and_back(vendor: Vendor, client: Client) -> None:
    answer = client.get("/invoices?month=2026-10")
    assert answer.status_code == 302
    assert answer.url == "/sign-in?next=/invoices%3Fmonth%3D2026-10"
    answer = sign_in(client, vendor.user.email, PASSWORD, next="/invoices?month=2026-10")
    assert answer.url == "/invoices?month=2026-10"
    assert client.get("/").status_code == 200


def test_the_address_is_taken_in_any_case(vendor: Vendor, client: Client) -> None:
    assert sign_in(client, vendor.user.email.upper(), PASSWORD).url == "/"


def test_confirming_a_password_that_django_hashes_again_keeps_the_person_signed_in(vendor: Vendor) -> None:
    vendor.user.password = _OlderParameters().encode(PASSWORD, "salt" * 8)
    vendor.user.save()
    client = signed_in(vendor.user)
    assert client.post("/confirm?next=/security", {"password": PASSWORD}).url == "/security"
    assert client.get("/security").status_code == 200


def test_next_leads_to_no_other_site(vendor: Vendor, client: Client) -> None:
    for elsewhere in ["https://evil.example/", "//evil.example/", "javascript:alert(1)"]:
        assert sign_in(Client(), vendor.user.email, PASSWORD, next=elsewhere).url == "/"


def test_a_wrong_password_an_unknown_address_and_an_inactive_person_are_told_the_same(vendor: Vendor) -> None:
    gone = create_user(email="gone@example.com", password=PASSWORD)
    gone.is_active = False
    gone.save()
    tried = [(vendor.user.email, "wrong"), ("nobody@example.com", PASSWORD), ("gone@example.com", PASSWORD)]
    answers = [sign_in(Client(), *one) for one in tried]
    assert {answer.status_code for answer in answers} == {200}
    assert all("do not go together" in answer.content.decode() for answer in answers)


def test_signing_out_needs_a_post_and_ends_the_session(vendor: Vendor) -> None:
    assert vendor.client.get("/sign-out").status_code == 405
    assert vendor.client.get("/").status_code == 200
    assert vendor.client.post("/sign-out").status_code == 302
    assert vendor.client.get("/").status_code == 302


def test_rows_asked_for_after_the_session_ended_lead_to_the_sign_in(vendor: Vendor, client: Client) -> None:
    answer = client.get("/runs/list", headers={"HX-Request": "true"})
    assert answer.status_code == 204
    assert answer.headers["HX-Redirect"] == "/sign-in"


def test_a_person_in_no_organization_is_told_so(db: None) -> None:
    answer = signed_in(create_user(email="new@example.com", password=PASSWORD)).get("/")
    assert answer.status_code == 403
    assert "You are in no organization yet" in answer.content.decode()


def test_a_member_of_two_organizations_switches_between_them(vendor: Vendor) -> None:
    other = make_vendor("Zebra Cabs")
    add_member(organization=other.organization, user=vendor.user, role="viewer")
    assert "Birch" in vendor.client.get("/customers").content.decode()
    vendor.client.post("/organization", {"organization": other.organization.public_id})
    assert "Birch" not in vendor.client.get("/customers").content.decode()


def test_nobody_switches_to_an_organization_they_have_no_part_in(vendor: Vendor) -> None:
    other = make_vendor("Zebra Cabs")
    assert vendor.client.post("/organization", {"organization": other.organization.public_id}).status_code == 404
    assert "Zebra" not in vendor.client.get("/").content.decode()


def test_a_superuser_sees_every_organization_and_the_administration(vendor: Vendor) -> None:
    make_vendor("Zebra Cabs")
    page = signed_in(create_user(email="root@example.com", password=PASSWORD, is_superuser=True)).get("/").content
    assert b"Northwind" in page
    assert b"Zebra Cabs" in page
    assert b'href="/admin/"' in page
    assert b'href="/admin/"' not in vendor.client.get("/").content


@pytest.mark.parametrize("path", ["/organization", "/invoices/x/refresh", "/mail/x/retry"])
def test_what_is_no_page_of_its_own_needs_a_post(vendor: Vendor, path: str) -> None:
    assert vendor.client.get(path).status_code == 405


@pytest.mark.parametrize("action", ["pay", "void", "write-off", "credit"])
def test_looking_at_the_form_of_a_change_changes_nothing(vendor: Vendor, action: str) -> None:
    invoice = vendor.invoice_of("birch")
    filled_in = {"amount": "10", "reason": "asked for", "form_token": "x", "confirm": "on"}
    with CaptureQueriesContext(connection) as asked:
        assert vendor.client.get(f"/invoices/{invoice.pk}/{action}", filled_in).status_code == 200
    changing = [one["sql"] for one in asked if one["sql"].startswith(("INSERT", "UPDATE", "DELETE"))]
    assert changing == []
    assert vendor.invoice_of("birch").status == "finalized"
    assert not payments_of(vendor.organization.pk).exists()


def test_a_form_without_its_token_changes_nothing(vendor: Vendor) -> None:
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(vendor.user)
    invoice = vendor.invoice_of("birch")
    answer = strict.post(f"/invoices/{invoice.pk}/pay")
    assert answer.status_code == 403
    assert vendor.invoice_of("birch").status == "finalized"
