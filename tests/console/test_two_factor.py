"""Signing in by two factors, passwords forgotten and changed, sessions, and being slowed down."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django_otp.plugins.otp_totp.models import TOTPDevice

from accounts.facade import Organization, User, add_member, create_user
from accounts.models import Throttle
from notifications.models import Mail
from tests.accounts.test_signing_in import code_of
from tests.console.conftest import PASSWORD, Vendor, signed_in
from tests.console.test_members import confirmed, text
from tests.console.test_sign_in import sign_in


def set_up(client: Client) -> list[str]:
    """Switches the second factor on; answers the recovery codes."""
    confirmed(client)
    page = text(client.get("/security/two-factor"))
    assert "<svg" in page
    assert "style=" not in page
    answer = client.post("/security/two-factor", {"code": code_of(TOTPDevice.objects.get())})
    codes = re.findall(r"<code>([a-z0-9]{5}-[a-z0-9]{5})</code>", text(answer))
    assert len(codes) == 10
    TOTPDevice.objects.update(last_t=-1)
    return codes


def test_signing_in_takes_the_password_and_then_the_code(vendor: Vendor) -> None:
    set_up(vendor.client)
    assert vendor.client.get("/").status_code == 200
    browser = Client()
    answer = sign_in(browser, vendor.user.email, PASSWORD, next="/invoices")
    assert answer.url == "/sign-in/code?next=%2Finvoices"
    assert browser.get("/invoices").status_code == 302  # the password alone opens nothing
    assert browser.post("/sign-in/code", {"code": "000000"}).status_code == 422
    TOTPDevice.objects.update(throttling_failure_timestamp=None, throttling_failure_count=0)
    answer = browser.post("/sign-in/code", {"code": code_of(TOTPDevice.objects.get()), "next": "/invoices"})
    assert answer.url == "/invoices"
    assert browser.get("/invoices").status_code == 200


def test_a_recovery_code_stands_in_for_the_app_once(vendor: Vendor) -> None:
    codes = set_up(vendor.client)
    for expected in (302, 422):
        browser = Client()
        sign_in(browser, vendor.user.email, PASSWORD)
        assert browser.post("/sign-in/code", {"code": codes[0]}).status_code == expected


def test_nobody_comes_to_the_second_step_without_the_first(vendor: Vendor) -> None:
    set_up(vendor.client)
    browser = Client()
    assert browser.get("/sign-in/code").url == "/sign-in"
    assert browser.post("/sign-in/code", {"code": code_of(TOTPDevice.objects.get())}).url == "/sign-in"
    sign_in(browser, vendor.user.email, PASSWORD)
    user = User.objects.get(pk=vendor.user.pk)
    user.set_password("another cab 1972")
    user.save()
    assert browser.get("/sign-in/code").url == "/sign-in"


def test_switching_it_on_ends_all_other_sessions(vendor: Vendor) -> None:
    elsewhere = signed_in(vendor.user)
    set_up(vendor.client)
    assert elsewhere.get("/").status_code == 302
    assert vendor.client.get("/").status_code == 200
    vendor.client.post("/security/two-factor/off")
    assert vendor.client.get("/").status_code == 200
    assert sign_in(Client(), vendor.user.email, PASSWORD).url == "/"


def test_an_organization_that_asks_for_it_is_not_seen_without(vendor: Vendor) -> None:
    viewer = vendor.member("viewer")
    confirmed(vendor.client)
    assert vendor.client.post("/members/sign-in", {"requires_two_factor": "1"}).url == "/security"  # not oneself first
    set_up(vendor.client)
    vendor.client.post("/members/sign-in", {"requires_two_factor": "1"})
    assert vendor.client.get("/").status_code == 200
    for path in ("/", "/invoices", "/customers", "/members", "/charts/usage_by_day.csv"):
        assert viewer.get(path).url == "/security", path
    assert "asks its members" in text(viewer.get("/security"))
    assert vendor.client.post("/security/two-factor/off").status_code == 409


def test_another_organization_is_seen_without_where_it_does_not_ask(vendor: Vendor) -> None:
    viewer = vendor.member("viewer")
    other = Organization.objects.create(name="Zebra", key="zebra")
    add_member(organization=other, user=User.objects.get(email="viewer@northwind.example"), role="viewer")
    Organization.objects.filter(pk=vendor.organization.pk).update(requires_two_factor=True)
    assert viewer.get("/").status_code == 302
    viewer.post("/organization", {"organization": other.public_id})
    assert viewer.get("/").status_code == 200


def test_wrong_passwords_slow_down_further_tries_even_right_ones(vendor: Vendor) -> None:
    for _ in range(5):
        sign_in(Client(), vendor.user.email, "wrong")
    assert "Too many tries" in text(sign_in(Client(), vendor.user.email, PASSWORD))
    throttle = Throttle.objects.get()
    throttle.last_at -= timedelta(seconds=16)
    throttle.save()
    assert sign_in(Client(), vendor.user.email, PASSWORD).url == "/"
    assert not Throttle.objects.exists()


def test_an_address_nobody_has_is_slowed_down_just_so(vendor: Vendor) -> None:
    answers = [text(sign_in(Client(), "nobody@example.com", "wrong")) for _ in range(6)]
    assert "Too many tries" in answers[-1]


def test_a_forgotten_password_is_set_by_mail_and_ends_sessions(vendor: Vendor) -> None:
    browser = Client()
    pages = {email: text(browser.post("/password", {"email": email})) for email in ("x@example.com", vendor.user.email)}
    without_token = {re.sub(r'value="\w{64}"', "", page) for page in pages.values()}
    assert len(without_token) == 1
    link = Mail.objects.get(kind="password_reset").context["link"].removeprefix("http://127.0.0.1:8000")
    assert browser.get(link).status_code == 200
    assert browser.post(link, {"password": "short"}).status_code == 422
    assert browser.post(link, {"password": "another cab 1972"}).url == "/"
    assert vendor.client.get("/").status_code == 302
    assert Client().get(link).status_code == 404
    assert sign_in(Client(), vendor.user.email, "another cab 1972").url == "/"


def test_a_forgotten_password_does_not_get_around_the_second_factor(vendor: Vendor) -> None:
    set_up(vendor.client)
    browser = Client()
    browser.post("/password", {"email": vendor.user.email})
    link = Mail.objects.get(kind="password_reset").context["link"].removeprefix("http://127.0.0.1:8000")
    assert browser.post(link, {"password": "another cab 1972"}).url == "/sign-in"
    assert browser.get("/").status_code == 302


def test_a_password_is_changed_and_one_is_signed_out_elsewhere(vendor: Vendor) -> None:
    elsewhere = signed_in(vendor.user)
    wrong = {"current": "wrong", "password": "another cab 1972"}
    assert "not your present password" in text(vendor.client.post("/security/password", wrong, follow=True))
    assert elsewhere.get("/").status_code == 200
    vendor.client.post("/security/password", {"current": PASSWORD, "password": "another cab 1972"})
    assert vendor.client.get("/").status_code == 200
    assert elsewhere.get("/").status_code == 302


def test_one_signs_out_everywhere_else(vendor: Vendor) -> None:
    elsewhere = signed_in(vendor.user)
    vendor.client.post("/security/sessions")
    assert vendor.client.get("/").status_code == 200
    assert elsewhere.get("/").status_code == 302


def test_the_administration_is_behind_the_same_sign_in(db: Any) -> None:
    root = create_user(email="root@example.com", password=PASSWORD, is_superuser=True)
    browser = Client()
    assert browser.get("/admin/").url == "/admin/login/?next=/admin/"
    assert browser.get("/admin/login/?next=/admin/").url == "/sign-in?next=/admin/"
    assert browser.post("/admin/login/", {"username": root.email, "password": PASSWORD}).url == "/sign-in?next=/admin/"
    assert sign_in(browser, root.email, PASSWORD, next="/admin/").url == "/admin/"
    assert browser.get("/admin/").status_code == 200
    TOTPDevice.objects.create(user=root, confirmed=True)
    assert browser.get("/admin/", follow=True).redirect_chain[-1][0] == "/sign-in?next=/admin/"  # begun without it
    sign_in(browser, root.email, PASSWORD, next="/admin/")
    assert (
        browser.post("/sign-in/code", {"code": code_of(TOTPDevice.objects.get()), "next": "/admin/"}).url == "/admin/"
    )
    assert browser.get("/admin/").status_code == 200


@pytest.mark.parametrize("setting", [True, False])
def test_the_administration_asks_for_a_second_factor_where_it_is_set_so(db: Any, settings: Any, setting: bool) -> None:
    settings.ADMIN_REQUIRES_TWO_FACTOR = setting
    root = create_user(email="root@example.com", password=PASSWORD, is_superuser=True)
    assert (signed_in(root).get("/admin/").status_code == 200) is not setting
