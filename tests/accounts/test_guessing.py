"""Guesses of passwords and codes are limited by client and by account, and no client locks out another."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client

from accounts.facade import create_user
from accounts.models import Throttle
from notifications.models import Mail
from tests.console.conftest import PASSWORD, Vendor, make_vendor
from tests.console.test_members import text
from tests.console.test_sign_in import sign_in
from tests.console.test_two_factor import set_up

pytestmark = pytest.mark.django_db

#: An attacker's address, and others of theirs and of the person's.
ATTACKER, HOME, OFFICE = "203.0.113.66", "198.51.100.7", "198.51.100.9"


@pytest.fixture(name="plain")
def _plain() -> Vendor:
    return make_vendor("Northwind")


@pytest.fixture(autouse=True)
def _quick_hashes(settings: Any) -> None:
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]


def at(address: str) -> Client:
    return Client(REMOTE_ADDR=address)


def is_refused(answer: Any) -> bool:
    return "Too many tries" in text(answer)


def test_a_client_that_guesses_locks_out_itself_alone(plain: Vendor) -> None:
    answers = [sign_in(at(ATTACKER), plain.user.email, "wrong") for _ in range(20)]
    assert [is_refused(one) for one in answers] == [False] * 5 + [True] * 15
    assert is_refused(sign_in(at(ATTACKER), plain.user.email, PASSWORD))
    assert sign_in(at(HOME), plain.user.email, PASSWORD).url == "/"


def test_a_client_cannot_try_one_account_after_the_other(plain: Vendor) -> None:
    answers = [sign_in(at(ATTACKER), f"person{number}@example.com", "wrong") for number in range(60)]
    assert [is_refused(one) for one in answers] == [False] * 50 + [True] * 10
    assert sign_in(at(HOME), plain.user.email, PASSWORD).url == "/"


def test_ones_own_account_does_not_make_room_for_more_guesses(plain: Vendor) -> None:
    create_user(email="mallory@example.com", password=PASSWORD)
    wrong = 0
    for number in range(60):
        if not is_refused(sign_in(at(ATTACKER), f"person{number}@example.com", "wrong")):
            wrong += 1
        sign_in(at(ATTACKER), "mallory@example.com", PASSWORD)
    assert wrong <= 50


def test_an_ipv6_client_is_its_network(plain: Vendor) -> None:
    answers = [sign_in(at(f"2606:4700:1:2::{number:x}"), plain.user.email, "wrong") for number in range(1, 8)]
    assert [is_refused(one) for one in answers] == [False] * 5 + [True] * 2


def test_many_clients_together_guess_no_further_and_the_person_gets_in_where_they_were_before(plain: Vendor) -> None:
    assert sign_in(at(HOME), plain.user.email, PASSWORD).url == "/"
    answers = [sign_in(at(f"203.0.113.{number}"), plain.user.email, "wrong") for number in range(1, 41)]
    assert [is_refused(one) for one in answers] == [False] * 30 + [True] * 10
    assert is_refused(sign_in(at(OFFICE), plain.user.email, PASSWORD))
    assert sign_in(at(HOME), plain.user.email, PASSWORD).url == "/"


def test_a_forwarded_header_of_the_client_itself_is_no_other_client(plain: Vendor) -> None:
    answers = [
        sign_in(Client(REMOTE_ADDR=ATTACKER, headers={"X-Forwarded-For": f"8.8.8.{n}"}), plain.user.email, "wrong")
        for n in range(7)
    ]
    assert [is_refused(one) for one in answers] == [False] * 5 + [True] * 2


@pytest.mark.parametrize("code", ["000000", "aaaaa-aaaaa"])
def test_codes_of_the_second_factor_are_guessed_no_faster(plain: Vendor, code: str) -> None:
    set_up(plain.client)
    waits = []
    for _ in range(8):
        browser = at(ATTACKER)
        sign_in(browser, plain.user.email, PASSWORD)
        answer = browser.post("/sign-in/code", {"code": code})
        assert answer.status_code == 422
        waits.append(is_refused(answer))
    assert waits == [False] * 5 + [True] * 3


def test_mails_to_one_account_are_limited_whoever_asks_for_them(plain: Vendor) -> None:
    plain.customer("hopper", email="billing@hopper.example")
    for number in range(1, 31):
        at(f"203.0.113.{number}").post("/password", {"email": plain.user.email})
        at(f"203.0.113.{number}").post("/portal/sign-in", {"email": "billing@hopper.example"})
    kinds = list(Mail.objects.values_list("kind", flat=True))
    assert kinds.count("password_reset") <= 10
    assert kinds.count("portal_link") == 10


def test_a_right_password_leaves_nothing_behind_that_counts(plain: Vendor) -> None:
    for _ in range(8):
        assert sign_in(at(HOME), plain.user.email, PASSWORD).url == "/"
    assert not Throttle.objects.filter(count__gt=0).exists()
