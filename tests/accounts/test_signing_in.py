"""What signing in is made of: throttles, the second factor, passwords, sessions, links into the portal."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta

import pytest
from django_otp.oath import TOTP
from django_otp.plugins.otp_totp.models import TOTPDevice

from accounts.facade import (
    AuditEntry,
    PortalAccess,
    TooManyTries,
    User,
    add_member,
    begin_two_factor,
    change_password,
    confirm_two_factor,
    create_organization,
    create_portal_link,
    create_user,
    disable_two_factor,
    end_sessions,
    forget_tries,
    has_two_factor,
    open_portal,
    portal_access_with_session,
    portal_accesses_of,
    recovery_codes_left,
    renew_recovery_codes,
    request_password_reset,
    reset_password,
    revoke_portal_access,
    take_try,
    take_use,
    verify_code,
)
from accounts.models import Throttle
from kernel.errors import ConflictError, InvalidError, NotFoundError
from notifications.models import Mail

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 11, 24, 9, tzinfo=UTC)
PASSWORD = "checker cab 1971"


def code_of(device: TOTPDevice, *, later: int = 0) -> str:
    """The code that the app shows, or shows `later` steps from now."""
    app = TOTP(device.bin_key)
    app.time = time.time() + 30 * later
    return f"{app.token():06d}"


@pytest.fixture(autouse=True)
def one_step(monkeypatch: pytest.MonkeyPatch) -> None:
    """An app shows one code for 30 seconds; none of these tests runs across two of them."""
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now)


@pytest.fixture
def user() -> User:
    made = create_user(email="ada@example.com", password=PASSWORD)
    add_member(organization=create_organization(name="Northwind"), user=made, role="owner")
    return made


def set_up(user: User) -> tuple[TOTPDevice, list[str]]:
    return confirm_two_factor(user=user, code=code_of(begin_two_factor(user)))


def test_after_five_tries_in_vain_each_waits_twice_as_long() -> None:
    tries = {"what": "password", "who": "ada@example.com"}
    for _ in range(5):
        take_try(**tries, now=NOW)
    with pytest.raises(TooManyTries) as caught:
        take_try(**tries, now=NOW)
    assert caught.value.wait == 16  # 15 seconds, and the one begun
    take_try(what="password", who="grace@example.com", now=NOW)
    take_try(**tries, now=NOW + timedelta(seconds=15))
    with pytest.raises(TooManyTries):
        take_try(**tries, now=NOW + timedelta(seconds=44))
    take_try(**tries, now=NOW + timedelta(seconds=45))
    Throttle.objects.filter(count=7).update(count=60, last_at=NOW)
    with pytest.raises(TooManyTries):
        take_try(**tries, now=NOW + timedelta(minutes=14, seconds=59))
    take_try(**tries, now=NOW + timedelta(minutes=15))
    forget_tries(**tries)
    take_try(**tries, now=NOW)


def test_uses_come_back_evenly_with_time() -> None:
    use = {"what": "page", "who": "link", "most": 6, "within": timedelta(minutes=1)}
    for _ in range(6):
        take_use(**use, now=NOW)
    with pytest.raises(TooManyTries) as caught:
        take_use(**use, now=NOW + timedelta(seconds=4))
    assert caught.value.wait == 7  # 6 seconds, and the one begun
    take_use(**use, now=NOW + timedelta(seconds=10))
    with pytest.raises(TooManyTries):
        take_use(**use, now=NOW + timedelta(seconds=19))
    for _ in range(2):
        take_use(**use, now=NOW + timedelta(seconds=30))
    with pytest.raises(TooManyTries):
        take_use(**use, now=NOW + timedelta(seconds=30))
    for _ in range(6):
        take_use(**use, now=NOW + timedelta(hours=1))
    with pytest.raises(TooManyTries):  # a clock that was set back lets nobody through
        take_use(**use, now=NOW)


def test_tries_of_yesterday_are_forgotten() -> None:
    for _ in range(5):
        take_try(what="password", who="ada@example.com", now=NOW)
    tomorrow = NOW + timedelta(hours=24, seconds=1)
    take_try(what="password", who="ADA@example.com", now=tomorrow)
    assert Throttle.objects.get().count == 1


def test_the_second_factor_counts_once_its_app_has_shown_a_code(user: User) -> None:
    device = begin_two_factor(user)
    assert begin_two_factor(user) == device
    assert not has_two_factor(user)
    assert verify_code(user=user, code=code_of(device)) is None
    with pytest.raises(InvalidError) as caught:
        confirm_two_factor(user=user, code="000000")
    assert caught.value.code == "code_wrong"
    TOTPDevice.objects.update(throttling_failure_timestamp=None)
    _, codes = confirm_two_factor(user=user, code=code_of(device))
    assert has_two_factor(user)
    assert len(set(codes)) == 10
    with pytest.raises(ConflictError):
        begin_two_factor(user)
    assert AuditEntry.objects.get().action == "two_factor.enable"


def test_a_code_works_once_and_so_does_a_recovery_code(user: User) -> None:
    device, codes = set_up(user)
    assert verify_code(user=user, code=code_of(device)) is None  # it was used to confirm
    TOTPDevice.objects.update(throttling_failure_timestamp=None, throttling_failure_count=0)
    assert verify_code(user=user, code=code_of(device, later=1)) == device
    assert verify_code(user=user, code=codes[0].upper()) is not None
    assert verify_code(user=user, code=codes[0]) is None
    assert recovery_codes_left(user) == 9


def test_a_wrong_code_makes_the_next_wait(user: User) -> None:
    device, _ = set_up(user)
    assert verify_code(user=user, code="123456") is None
    assert verify_code(user=user, code=code_of(device, later=1)) is None


def test_codes_are_renewed_and_all_of_it_is_switched_off(user: User) -> None:
    _, codes = set_up(user)
    renewed = renew_recovery_codes(user)
    assert verify_code(user=user, code=codes[0]) is None
    assert recovery_codes_left(user) == 10
    assert set(renewed).isdisjoint(codes)
    before = user.get_session_auth_hash()
    disable_two_factor(user)
    assert not has_two_factor(user)
    assert user.get_session_auth_hash() != before
    assert AuditEntry.objects.order_by("-id")[0].action == "two_factor.disable"


def test_ending_sessions_changes_what_sessions_are_checked_against(user: User) -> None:
    before = user.get_session_auth_hash()
    end_sessions(user)
    assert User.objects.get().get_session_auth_hash() == user.get_session_auth_hash() != before


def test_a_forgotten_password_is_set_by_a_link_that_works_once(user: User) -> None:
    links = []

    def link(uid: str, token: str) -> str:
        links.append((uid, token))
        return f"https://taximeter.example/{uid}/{token}"

    request_password_reset(email="nobody@example.com", now=NOW, link_of=link)
    assert not links
    request_password_reset(email="ADA@example.com", now=NOW, link_of=link)
    [(uid, token)] = links
    assert Mail.objects.get().kind == "password_reset"
    with pytest.raises(InvalidError):
        reset_password(uid=uid, token=token, password="short")
    reset_password(uid=uid, token=token, password="another cab 1972")
    with pytest.raises(NotFoundError):
        reset_password(uid=uid, token=token, password="third cab 1973")
    for wrong in ["", "x", "MTIz", "77+9", "OTk5OTk5OTk5OTk5OTk5OTk5OTk5OTk"]:
        with pytest.raises(NotFoundError):
            reset_password(uid=wrong, token=token, password="third cab 1973")
    assert User.objects.get().check_password("another cab 1972")


def test_a_password_is_changed_by_who_knows_it(user: User) -> None:
    with pytest.raises(InvalidError) as caught:
        change_password(user=user, current="wrong", password="another cab 1972")
    assert caught.value.code == "password_wrong"
    change_password(user=user, current=PASSWORD, password="another cab 1972")
    actions = AuditEntry.objects.order_by("id").values_list("action", flat=True)
    assert list(actions) == ["password.change_fail", "password.change"]


def test_a_portal_link_works_once_and_becomes_a_session_that_ends() -> None:
    organization = create_organization(name="Northwind")
    made, link = create_portal_link(organization=organization, customer="cus_1", now=NOW, link_of=str)
    assert link not in str(PortalAccess.objects.values().get())
    access, secret = open_portal(token=link, now=NOW + timedelta(hours=23))
    assert access == made
    with pytest.raises(NotFoundError):
        open_portal(token=link, now=NOW + timedelta(hours=23))
    opened = NOW + timedelta(hours=23)
    assert portal_access_with_session(secret, now=opened + timedelta(hours=7, minutes=59)) == made
    assert portal_access_with_session(secret, now=opened + timedelta(hours=8)) is None
    assert portal_access_with_session(link, now=opened) is None
    assert [*portal_accesses_of(organization.pk, "cus_1", now=opened)] == [made]
    assert revoke_portal_access(organization_id=organization.pk, customer="cus_1", now=opened) == 1
    assert portal_access_with_session(secret, now=opened) is None


def test_a_portal_link_expires_and_another_organization_cannot_revoke_it() -> None:
    organization = create_organization(name="Northwind")
    made, link = create_portal_link(organization=organization, customer="cus_1", now=NOW, link_of=str)
    other = create_organization(name="Other")
    assert revoke_portal_access(organization_id=other.pk, customer="cus_1", now=NOW, access=made.pk) == 0
    with pytest.raises(NotFoundError):
        open_portal(token=link, now=NOW + timedelta(hours=24))
    with pytest.raises(InvalidError):
        create_portal_link(
            organization=organization, customer="cus_1", now=NOW, link_of=str, lifetime=timedelta(days=8)
        )
