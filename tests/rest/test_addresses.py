"""Whose request it is, by its address."""

from __future__ import annotations

from ipaddress import ip_network
from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.test import RequestFactory

from config.reaching import trusted_proxies
from rest.addresses import TrustedProxies, visitor_of


def asked(address: str, told: str | None = None) -> str | None:
    headers = {} if told is None else {"X-Forwarded-For": told}
    return visitor_of(RequestFactory().get("/", headers=headers, REMOTE_ADDR=address))


@pytest.mark.parametrize(
    ("address", "visitor"),
    [
        ("93.184.215.14", "93.184.215.14"),
        ("2606:2800:21f:cb07:6820:80da:af6b:8b2c", "2606:2800:21f:cb07::/64"),
        ("::ffff:93.184.215.14", "93.184.215.14"),
        ("203.0.113.7", "203.0.113.7"),
        ("10.0.0.7", None),
        ("127.0.0.1", None),
        ("::1", None),
        ("", None),
        ("nonsense", None),
    ],
)
def test_a_visitor_is_an_address_that_no_proxy_of_ours_can_have(address: str, visitor: str | None) -> None:
    assert asked(address) == visitor
    assert asked(address, "8.8.8.8") == visitor  # what anybody may write is not believed


@pytest.mark.parametrize(
    ("proxies", "told", "visitor"),
    [
        (1, "93.184.215.14", "93.184.215.14"),
        (1, "8.8.8.8, 93.184.215.14", "93.184.215.14"),
        (1, "192.168.1.20", "192.168.1.20"),
        (2, "8.8.8.8, 93.184.215.14, 10.0.0.1", "93.184.215.14"),
        (2, "93.184.215.14", None),
        (1, None, None),
        (1, "unknown", None),
        (0, "8.8.8.8, 93.184.215.14", "93.184.215.14"),
        (0, "8.8.8.8, 93.184.215.14, 10.0.0.2, 10.0.0.3", "93.184.215.14"),
        (0, "93.184.215.14:4711, [::ffff:10.0.0.2]:80", "93.184.215.14"),
        (0, "[2606:2800:21f:cb07:6820:80da:af6b:8b2c]:443", "2606:2800:21f:cb07::/64"),
        (0, "10.0.0.2", None),
        (0, "unknown, 10.0.0.2", None),
        (0, None, None),
    ],
)
def test_behind_proxies_it_is_whom_the_first_of_them_saw(
    settings: Any, proxies: int, told: str | None, visitor: str | None
) -> None:
    settings.PROXIES, settings.TRUSTED_PROXIES = proxies, (ip_network("10.0.0.0/24"),)
    assert asked("10.0.0.1", told) == visitor
    assert asked("93.184.215.99", told) == "93.184.215.99"  # who comes past the proxies names nobody else
    assert asked("10.0.1.1", told) is None


def test_without_proxies_every_address_is_a_client(settings: Any) -> None:
    settings.NO_PROXIES = True
    assert asked("127.0.0.1", "8.8.8.8") == "127.0.0.1"
    assert asked("fd00::1:2", None) == "fd00::/64"


@pytest.mark.parametrize(
    ("variables", "networks", "is_direct"),
    [
        ({}, [], False),
        ({"TAXIMETER_TRUSTED_PROXIES": "none"}, [], True),
        ({"TAXIMETER_TRUSTED_PROXIES": "10.0.0.1, fd00::/8"}, ["10.0.0.1/32", "fd00::/8"], False),
    ],
)
def test_trusted_proxies_are_a_setting(
    monkeypatch: Any, variables: dict[str, str], networks: list[str], is_direct: bool
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert trusted_proxies() == (tuple(map(ip_network, networks)), is_direct)


def test_a_trusted_proxy_is_named_by_its_address(monkeypatch: Any) -> None:
    monkeypatch.setenv("TAXIMETER_TRUSTED_PROXIES", "proxy.internal")
    with pytest.raises(ImproperlyConfigured, match="TAXIMETER_TRUSTED_PROXIES"):
        trusted_proxies()


def test_a_number_of_proxies_alone_trusts_private_addresses(settings: Any) -> None:
    settings.PROXIES = 1
    assert asked("10.0.0.1", "93.184.215.14") == asked("::1", "93.184.215.14") == "93.184.215.14"
    assert asked("93.184.215.99", "93.184.215.14") == "93.184.215.99"


@pytest.mark.parametrize(
    ("peer", "proto", "is_secure"),
    [
        ("10.0.0.1", "https", True),
        ("10.0.0.1", "HTTPS", True),
        ("10.0.0.1", "https, http", False),  # the client's own word comes first
        ("10.0.0.1", "http, https", True),
        ("93.184.215.14", "https", False),
        ("127.0.0.1", "https", False),
    ],
)
def test_the_scheme_is_believed_of_a_trusted_proxy_alone(settings: Any, peer: str, proto: str, is_secure: bool) -> None:
    settings.TRUSTED_PROXIES = (ip_network("10.0.0.0/24"),)
    request = RequestFactory().get("/", headers={"X-Forwarded-Proto": proto, "X-Real-Ip": "8.8.8.8"}, REMOTE_ADDR=peer)
    seen = []
    TrustedProxies(lambda one: seen.append(one.is_secure()))(request)
    assert seen == [is_secure]
    assert ("HTTP_X_REAL_IP" in request.META) is (peer == "10.0.0.1")
