"""The page to pay on is asked for by whoever has a link, as often as it likes: what that may cost is bounded."""

from __future__ import annotations

from datetime import timedelta
from ipaddress import ip_network
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from accounts.models import Throttle
from collection.facade import payment_link
from tests.collection.vendor import Vendor

HOST = "http://127.0.0.1:8000"
ABROAD, ELSEWHERE = {"REMOTE_ADDR": "93.184.215.14"}, {"REMOTE_ADDR": "1.1.1.1"}


def link_of(vendor: Vendor, key: str = "acme") -> str:
    return payment_link(vendor.invoice(vendor.customer(key, does=None))).removeprefix(HOST)


def earlier(**time: float) -> None:
    """All that was asked was asked so much earlier."""
    for one in Throttle.objects.all():
        one.last_at -= timedelta(**time)
        one.save()


@pytest.fixture
def pages(vendor: Vendor) -> Any:
    """How many pages were made at Stripe."""
    return lambda: len(vendor.fake.tables["checkout_session"])


def test_a_link_leads_to_the_provider_so_many_times_and_the_page_is_still_there(vendor: Vendor, pages: Any) -> None:
    link = link_of(vendor)
    answers = [Client().post(link, **ABROAD) for _ in range(20)]
    assert [answer.status_code for answer in answers] == [302] * 6 + [429] * 14
    assert pages() <= 6
    assert 1 <= int(answers[-1]["Retry-After"]) <= 11
    assert "Please wait a moment" in answers[-1].content.decode()
    assert "form-action 'self' https:" in answers[-1]["Content-Security-Policy"]
    assert Client().get(link, **ABROAD).status_code == 200
    assert Client().post(link, **ELSEWHERE).status_code == 429
    earlier(seconds=20)
    assert [Client().post(link, **ABROAD).status_code for _ in range(3)] == [302, 302, 429]


def test_who_asks_too_often_by_one_link_is_in_nobody_elses_way(vendor: Vendor) -> None:
    link, other = link_of(vendor), link_of(vendor, "brock")
    for _ in range(8):
        Client().post(link, **ABROAD)
    assert Client().post(other, **ELSEWHERE).status_code == 302


def test_looks_have_an_end_too(vendor: Vendor) -> None:
    link = link_of(vendor)
    looks = [Client().get(link).status_code for _ in range(40)] + [Client().head(link).status_code for _ in range(40)]
    assert looks.count(200) in {60, 61, 62, 63, 64, 65}  # and one more for each second that this takes
    assert set(looks) == {200, 429}
    earlier(minutes=1)
    assert Client().get(link).status_code == 200


def test_an_address_is_held_up_whatever_links_it_has(vendor: Vendor, settings: Any, monkeypatch: Any) -> None:
    monkeypatch.setattr("console.paying.views._PAGES_OF_ADDRESS", 4)
    links = [link_of(vendor, f"customer-{number}") for number in range(6)]
    assert [Client().post(link, **ABROAD).status_code for link in links] == [302] * 4 + [429] * 2
    assert Client().post(links[-1], **ELSEWHERE).status_code == 302
    forged = {"X-Forwarded-For": "8.8.8.8"}
    assert Client(headers=forged).post(links[-1], **ABROAD).status_code == 429
    # Behind a proxy that nobody spoke of, its address stands for everybody, and holds up nobody.
    assert [Client().post(link, REMOTE_ADDR="10.0.0.1").status_code for link in links[:4]] == [302] * 4
    settings.TRUSTED_PROXIES = (ip_network("10.0.0.0/8"),)
    through = Client(headers={"X-Forwarded-For": "8.8.8.8, 93.184.215.14"})
    assert through.post(links[0], REMOTE_ADDR="10.0.0.1").status_code == 429


def test_a_made_up_link_costs_no_look_into_the_database(db: None) -> None:
    for token in ("inv_1.x", "a" * 5000, "%00", "inv_1:x", "../../etc/passwd".replace("/", "%2F")):
        with CaptureQueriesContext(connection) as queries:
            assert Client().post(f"/pay/{token}", **ABROAD).status_code == 404
        assert [one["sql"] for one in queries] == []
    assert not Throttle.objects.exists()
