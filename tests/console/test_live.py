"""The overview changes while it is open."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from html import unescape
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from accounts.facade import add_member
from console.views import live
from kernel.clock import system_clock
from launcher import process
from tests.console.conftest import Vendor, make_vendor, signed_in, turns

OCTOBER = "from=2026-10-01&to=2026-10-31"


def address(client: Client, query: str = "") -> str:
    """Where an open overview asks for what is new."""
    html = client.get(f"/?{query}").content.decode()
    return unescape(html.split('data-live-from="')[1].split('"')[0])


def parts(answer: Any) -> dict[str, str]:
    [data] = [line for line in answer.content.decode().splitlines() if line.startswith("data: ")]
    found: dict[str, str] = json.loads(data.removeprefix("data: "))
    return found


def test_the_tiles_and_the_latest_events_change_with_the_usage(committed_vendor: Vendor) -> None:
    vendor = committed_vendor
    place = address(vendor.client, f"{OCTOBER}&timezone=Asia/Kolkata")
    before = vendor.client.get(place)
    assert before["content-type"] == "text/event-stream"
    page = vendor.client.get(f"/?{OCTOBER}").content.decode()
    assert all(html.strip() in page for html in parts(before).values())
    assert ">506</a>" in parts(before)["tiles"]

    vendor.record(turns("acme", 4, start=datetime(2026, 10, 20, 9, tzinfo=UTC)))
    assert process.wait_until(lambda: ">510</a>" in parts(vendor.client.get(place))["tiles"], seconds=10)
    # 9:00:04 UTC is 14:30:04 in Kolkata.
    assert "14:30" in parts(vendor.client.get(place))["events"]


def test_many_people_with_nothing_new_ask_the_database_nothing(committed_vendor: Vendor) -> None:
    clients = [committed_vendor.member("viewer"), committed_vendor.client]
    place = address(committed_vendor.client)
    tags = [
        line.removeprefix("id: ")
        for client in clients
        for line in client.get(place).content.decode().splitlines()
        if line.startswith("id: ")
    ]
    assert tags[0] == tags[1]
    with CaptureQueriesContext(connection) as queries:
        for _ in range(30):
            for client in clients:
                answer = client.get(place, headers={"last-event-id": tags[0]})
                assert b"data:" not in answer.content
    assert len(queries) <= 1  # looking at the log anew, should this take seconds


def test_it_ends_for_whoever_signs_out(committed_vendor: Vendor, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live._seen, "seconds", 0.0)
    place = address(committed_vendor.client)
    assert committed_vendor.client.get(place).status_code == 200
    assert Client().get(place).status_code == 204
    committed_vendor.client.post("/sign-out")
    assert committed_vendor.client.get(place).status_code == 204


def test_it_shows_no_other_organization(committed_vendor: Vendor) -> None:
    other = make_vendor("Other")
    place = address(committed_vendor.client)
    assert other.client.get(place).status_code == 204
    both = signed_in(other.user)
    add_member(organization=committed_vendor.organization, user=other.user, role="viewer")
    both.post("/organization", {"organization": committed_vendor.organization.public_id})
    assert both.get(place).status_code == 200
    both.post("/organization", {"organization": other.organization.public_id})
    now = system_clock() - timedelta(hours=1)
    other.record(turns("secret", 1, start=now))
    assert "secret" not in both.get(place).content.decode()
    assert "secret" in both.get(address(both)).content.decode()


def test_a_question_that_makes_no_sense_is_refused(committed_vendor: Vendor) -> None:
    place = address(committed_vendor.client)
    assert committed_vendor.client.get(place.replace("this_month", "never")).status_code == 422
