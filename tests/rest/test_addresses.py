"""Whose request it is, by its address."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import RequestFactory

from rest.addresses import visitor_of


def asked(address: str, told: str | None = None) -> str | None:
    headers = {} if told is None else {"X-Forwarded-For": told}
    return visitor_of(RequestFactory().get("/", headers=headers, REMOTE_ADDR=address))


@pytest.mark.parametrize(
    ("address", "visitor"),
    [
        ("93.184.215.14", "93.184.215.14"),
        ("2606:2800:21f:cb07:6820:80da:af6b:8b2c", "2606:2800:21f:cb07::/64"),
        ("::ffff:93.184.215.14", "93.184.215.14"),
        ("10.0.0.7", None),
        ("127.0.0.1", None),
        ("::1", None),
        ("", None),
        ("nonsense", None),
    ],
)
def test_a_visitor_is_an_address_of_the_world(address: str, visitor: str | None) -> None:
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
    ],
)
def test_behind_proxies_it_is_whom_the_first_of_them_saw(
    settings: Any, proxies: int, told: str | None, visitor: str | None
) -> None:
    settings.PROXIES = proxies
    assert asked("10.0.0.1", told) == visitor
