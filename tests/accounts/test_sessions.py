"""Sessions end by themselves, and one by one."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import pytest
from django.conf import settings as django_settings
from django.core.management import call_command
from django.db import connection
from django.test import Client

from accounts.facade import User, create_user, sessions_of
from accounts.models import AuditEntry, Session
from kernel.clock import system_clock
from tests.console.conftest import PASSWORD, Vendor, make_vendor, signed_in
from tests.console.test_members import confirmed
from tests.console.test_sign_in import sign_in

pytestmark = pytest.mark.django_db

FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"


@pytest.fixture(name="plain")
def _plain() -> Vendor:
    return make_vendor("Northwind")


def earlier(**time: float) -> None:
    """All sessions were last used so much earlier."""
    for one in Session.objects.all():
        Session.objects.filter(pk=one.pk).update(last_seen_at=one.last_seen_at - timedelta(**time))


def is_signed_in(client: Client) -> bool:
    return bool(client.get("/security").status_code == 200)


def test_a_session_ends_after_idling_and_lives_on_by_use(plain: Vendor) -> None:
    assert is_signed_in(plain.client)
    earlier(hours=11, minutes=58)
    assert is_signed_in(plain.client)
    earlier(hours=11, minutes=58)
    assert is_signed_in(plain.client)
    earlier(hours=12, seconds=1)
    assert not is_signed_in(plain.client)
    assert not is_signed_in(plain.client)


def test_pages_that_refresh_themselves_do_not_keep_a_session_alive(plain: Vendor) -> None:
    assert is_signed_in(plain.client)
    for _ in range(4):
        earlier(hours=2, minutes=50)
        assert plain.client.get("/runs/health", headers={"HX-Request": "true"}).status_code == 200
        address = f"/live?organization={plain.organization.public_id}"
        plain.client.get(address, headers={"Accept": "text/event-stream"})
    earlier(hours=1)
    assert not is_signed_in(plain.client)


def test_a_session_ends_two_weeks_after_sign_in_however_it_is_used(plain: Vendor) -> None:
    began = Session.objects.get().signed_in_at
    plain.client.get("/", {"timezone": "Europe/Paris"})  # written again
    plain.client.post("/security/password", {"current": PASSWORD, "password": "another cab 1972"})  # under a new key
    row = Session.objects.get()
    assert row.signed_in_at == began
    assert row.expire_date == began + timedelta(days=14)
    Session.objects.update(expire_date=system_clock())
    assert not is_signed_in(plain.client)


def test_the_lifetimes_are_settings(plain: Vendor, settings: Any) -> None:
    settings.SESSION_IDLE_SECONDS = 900
    assert is_signed_in(plain.client)
    earlier(minutes=15, seconds=1)
    assert not is_signed_in(plain.client)


def test_a_copy_of_the_database_opens_no_session(plain: Vendor) -> None:
    cookie = plain.client.cookies[django_settings.SESSION_COOKIE_NAME].value
    with connection.cursor() as cursor:
        cursor.execute("SELECT to_jsonb(s)::text FROM accounts_session s")
        rows = cursor.fetchall()
    assert len(rows) == 1
    assert cookie not in rows[0][0]
    thief = Client()
    thief.cookies[django_settings.SESSION_COOKIE_NAME] = Session.objects.get().key_hash
    assert not is_signed_in(thief)


def test_sessions_are_listed_and_ended_one_by_one(plain: Vendor) -> None:
    browser = Client(headers={"User-Agent": FIREFOX}, REMOTE_ADDR="203.0.113.7")
    sign_in(browser, plain.user.email, PASSWORD)
    assert is_signed_in(browser)
    page = browser.get("/security").content.decode()
    assert "Firefox on Linux" in page
    assert "203.0.113.7" in page
    assert page.count("this session") == 1
    ends = re.findall(r'action="(/security/sessions/ses_\w+/end)"', page)
    assert len(ends) == 1  # not the present one
    assert browser.post(ends[0]).status_code == 302
    assert not is_signed_in(plain.client)
    assert is_signed_in(browser)
    assert AuditEntry.objects.filter(action="person.end_session", target=plain.user.email).exists()
    assert browser.post(ends[0]).status_code == 404


def test_sessions_of_another_person_are_out_of_reach(plain: Vendor) -> None:
    viewer = plain.member("viewer")
    mine = sessions_of(plain.user, now=system_clock()).get()
    member = plain.organization.memberships.get(user=plain.user)
    assert viewer.post(f"/security/sessions/{mine.public_id}/end").status_code == 404
    confirmed(viewer)
    assert viewer.get(f"/members/{member.pk}/sessions").status_code == 403
    assert viewer.post(f"/members/{member.pk}/sessions/{mine.public_id}/end").status_code == 403
    assert is_signed_in(plain.client)
    stranger = make_vendor("Southwind")
    confirmed(stranger.client)
    assert stranger.client.get(f"/members/{member.pk}/sessions").status_code == 404
    assert stranger.client.post(f"/members/{member.pk}/sessions/{mine.public_id}/end").status_code == 404
    assert is_signed_in(plain.client)


def test_an_owner_ends_a_session_of_a_member(plain: Vendor) -> None:
    viewer = plain.member("viewer")
    assert is_signed_in(viewer)
    confirmed(plain.client)
    member = plain.organization.memberships.get(role="viewer")
    page = plain.client.get(f"/members/{member.pk}/sessions").content.decode()
    [end] = re.findall(r'action="(/members/\d+/sessions/ses_\w+/end)"', page)
    assert plain.client.post(end).status_code == 302
    assert not is_signed_in(viewer)
    entry = AuditEntry.objects.get(action="person.end_session")
    assert (entry.actor, entry.target) == (plain.user.email, "viewer@northwind.example")


def test_sessions_that_are_over_are_deleted(plain: Vendor) -> None:
    signed_in(create_user(email="idle@example.com", password=PASSWORD))
    Session.objects.filter(user__email="idle@example.com").update(last_seen_at=system_clock() - timedelta(hours=13))
    call_command("clearsessions")
    assert Session.objects.get().user == User.objects.get(email=plain.user.email)
