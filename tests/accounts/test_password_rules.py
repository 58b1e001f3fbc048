"""Passwords that are refused wherever one is set."""

from __future__ import annotations

import io
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.test import Client

from accounts.facade import User, create_user
from accounts.services.invitations import require_password
from kernel.errors import InvalidError
from tests.console.conftest import PASSWORD, make_vendor, signed_in
from tests.console.test_members import confirmed

pytestmark = pytest.mark.django_db

WEAK = [
    "checker cab",  # eleven characters
    "123456789012",
    "202611302026",
    "password1234",
    "Password2026!",
    "p@ssw0rd2026",
    "passwordpassword",
    "qwertyuiopas",
    "aaaaaaaaaaaa",
    "abcabcabcabc",
    "abcdefghijkl",
    "ada.lovelace",
    "adalovelace2026",
    "Lovelace-Ada-1",
    "ada.lovelace@northwind.example",
    "northwind2026",
    "iloveyou2026!!",
    "x" * 513,
]


@pytest.mark.parametrize("password", WEAK)
def test_a_weak_password_is_refused(password: str) -> None:
    user = User(email="ada.lovelace@northwind.example", first_name="Ada", last_name="Lovelace")
    with pytest.raises(InvalidError) as caught:
        require_password(password, user)
    assert caught.value.code == "password_weak"


@pytest.mark.parametrize(
    "password",
    [
        PASSWORD,
        "correct horse battery staple",
        "tr0ub4dor&3xyzzy",
        "Lovelace wrote the first program",
        "ключ от квартиры",
    ],
)
def test_a_long_password_needs_no_mixture_of_characters(password: str) -> None:
    require_password(password, User(email="ada.lovelace@northwind.example", first_name="Ada", last_name="Lovelace"))


@pytest.mark.parametrize("password", ["123456789012", "short", "password2026!"])
def test_every_place_where_a_password_is_set_refuses_it(password: str, monkeypatch: Any) -> None:
    vendor = make_vendor("Northwind")
    before = User.objects.get(pk=vendor.user.pk).password
    # Changed by its owner.
    vendor.client.post("/security/password", {"current": PASSWORD, "password": password})
    # Set by an operator in the administration, for a new person and for a known one.
    root = User.objects.create_superuser("root.admin@example.com", PASSWORD)
    admin = signed_in(root)
    form = {"email": "root.admin@example.org", "usable_password": "true", "password1": password, "password2": password}
    inline = {"memberships-TOTAL_FORMS": "0", "memberships-INITIAL_FORMS": "0"}
    assert admin.post("/admin/accounts/user/add/", form | inline).status_code == 200
    again = {"usable_password": "true", "password1": password, "password2": password}
    admin.post(f"/admin/accounts/user/{root.pk}/password/", again)
    # Given by an invited person.
    confirmed(vendor.client)
    page = vendor.client.post("/members/invite", {"email": "root.admin@example.net", "role": "viewer"}).content.decode()
    link = "/invitations/" + page.partition("/invitations/")[2].partition('"')[0]
    assert Client().post(link, {"name": "Root", "password": password}).status_code == 422
    # By commands.
    monkeypatch.setenv("DJANGO_SUPERUSER_PASSWORD", password)
    with pytest.raises(CommandError):
        call_command("createsuperuser", interactive=False, email="root.admin@example.edu", stdout=io.StringIO())
    assert set(User.objects.values_list("email", flat=True)) == {vendor.user.email, "root.admin@example.com"}
    assert User.objects.get(pk=vendor.user.pk).password == before
    assert User.objects.get(pk=root.pk).check_password(PASSWORD)


def test_changepassword_asks_until_the_password_is_strong(monkeypatch: Any) -> None:
    create_user(email="ada@example.com", password=PASSWORD)
    monkeypatch.setattr("getpass.getpass", lambda *_args, **_options: "123456789012")
    with pytest.raises(CommandError, match="Aborting"):
        call_command("changepassword", "ada@example.com", stdout=io.StringIO(), stderr=io.StringIO())
    assert User.objects.get().check_password(PASSWORD)
