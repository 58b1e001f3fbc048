"""Members, their roles, and invitations."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection

from accounts.facade import (
    AuditEntry,
    Membership,
    Organization,
    Role,
    User,
    accept_invitation,
    act_as,
    add_member,
    change_role,
    create_organization,
    create_user,
    invitation_with,
    invite_member,
    remove_member,
    require_may_give,
    revoke_invitation,
)
from kernel.errors import ConflictError, ForbiddenError, InvalidError, NotFoundError, TaximeterError
from notifications.models import Mail

NOW = datetime(2026, 11, 24, 9, tzinfo=UTC)


def link(token: str) -> str:
    return f"https://taximeter.example/invitation/{token}"


def person(organization: Organization, role: str, email: str = "") -> Membership:
    user = create_user(email=email or f"{role}@example.com", password="checker cab 1971")
    return add_member(organization=organization, user=user, role=role)


def invite(organization: Organization, email: str = "new@example.com", role: str = "finance") -> str:
    """The token of an invitation."""
    _, made = invite_member(organization=organization, email=email, role=role, by="owner", now=NOW, link_of=link)
    return made.removeprefix(link(""))


@pytest.fixture
def vendor(db: None) -> Organization:
    return create_organization(name="Northwind")


def test_an_invitation_is_mailed_and_makes_a_new_person_a_member_once(vendor: Organization) -> None:
    token = invite(vendor, "New.Person@Example.com")
    mail = Mail.objects.get()
    assert (mail.kind, mail.to, mail.context["link"]) == ("member_invited", ["new.person@example.com"], link(token))
    member, user = accept_invitation(token=token, now=NOW, name="New Person", password="checker cab 1971")
    assert (member.role, user.email, user.first_name) == ("finance", "new.person@example.com", "New")
    assert user.check_password("checker cab 1971")
    with pytest.raises(NotFoundError) as caught:
        accept_invitation(token=token, now=NOW, name="x", password="checker cab 1971")
    assert caught.value.code == "invitation_not_found"
    assert list(AuditEntry.objects.order_by("id").values_list("action", "target", "actor")) == [
        ("member.invite", "new.person@example.com", "system"),
        ("member.join", "new.person@example.com", "new.person@example.com"),
    ]


def test_an_invitation_expires_and_a_newer_one_takes_its_place(vendor: Organization) -> None:
    first = invite(vendor)
    assert invitation_with(first, now=NOW + timedelta(days=6, hours=23)) is not None
    assert invitation_with(first, now=NOW + timedelta(days=7)) is None
    second = invite(vendor, role="viewer")
    assert invitation_with(first, now=NOW) is None
    found = invitation_with(second, now=NOW)
    assert found is not None
    revoke_invitation(invitation=found, by="owner", now=NOW)
    assert invitation_with(second, now=NOW) is None


def test_who_has_an_account_signs_in_first_and_joins_as_that_address_alone(vendor: Organization) -> None:
    known = create_user(email="known@example.com", password="checker cab 1971")
    other = create_user(email="other@example.com", password="checker cab 1971")
    token = invite(vendor, "known@example.com")
    with pytest.raises(ConflictError) as taken:
        accept_invitation(token=token, now=NOW, name="Thief", password="another cab 1972")
    assert taken.value.code == "sign_in_first"
    with pytest.raises(ForbiddenError):
        accept_invitation(token=token, now=NOW, user=other)
    member, _ = accept_invitation(token=token, now=NOW, user=known)
    assert (member.user, member.role) == (known, "finance")
    assert known.check_password("checker cab 1971")


@pytest.mark.parametrize("password", ["short", "password123", ""])
def test_a_new_person_needs_a_good_password(vendor: Organization, password: str) -> None:
    token = invite(vendor)
    with pytest.raises(InvalidError) as caught:
        accept_invitation(token=token, now=NOW, name="x", password=password)
    assert caught.value.code == "password_weak"
    assert not User.objects.exists()
    assert invitation_with(token, now=NOW) is not None


@pytest.mark.parametrize(
    ("own", "role", "may"),
    [
        ("owner", "owner", True),
        ("admin", "owner", False),
        ("admin", "admin", True),
        ("admin", "viewer", True),
        ("finance", "viewer", False),
        ("developer", "developer", False),
        ("viewer", "viewer", False),
    ],
)
def test_nobody_gives_a_role_above_their_own(own: str, role: str, may: bool) -> None:
    if may:
        require_may_give(own, role)
        return
    with pytest.raises(ForbiddenError) as caught:
        require_may_give(own, role)
    assert caught.value.code == "role_above_own"


def test_an_admin_touches_no_owner(vendor: Organization) -> None:
    owner = person(vendor, "owner")
    person(vendor, "owner", "second@example.com")
    with pytest.raises(ForbiddenError):
        change_role(member=owner, role="viewer", by="admin")
    with pytest.raises(ForbiddenError):
        remove_member(member=owner, by="admin")


def test_the_last_owner_stays(vendor: Organization) -> None:
    owner = person(vendor, "owner")
    person(vendor, "admin")
    for act in (
        lambda: change_role(member=owner, role="admin", by="owner"),
        lambda: remove_member(member=owner, by="owner"),
    ):
        with pytest.raises(ConflictError) as caught:
            act()
        assert caught.value.code == "last_owner"
    person(vendor, "owner", "second@example.com")
    change_role(member=owner, role="admin", by="owner")
    assert AuditEntry.objects.get().detail == {"before": {"role": "owner"}, "after": {"role": "admin"}}


def test_an_owner_who_cannot_sign_in_is_no_other_owner(vendor: Organization) -> None:
    owner = person(vendor, "owner")
    gone = person(vendor, "owner", "gone@example.com")
    gone.user.is_active = False
    gone.user.save()
    with pytest.raises(ConflictError):
        remove_member(member=owner, by="owner")


def test_everybody_may_leave(vendor: Organization) -> None:
    viewer = person(vendor, "viewer")
    act_as("viewer@example.com")
    remove_member(member=viewer, by="viewer")
    act_as("system")
    assert not Membership.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_two_owners_who_leave_at_once_leave_one() -> None:
    organization = create_organization(name="Northwind")
    owners = [person(organization, "owner", f"owner-{i}@example.com") for i in range(2)]
    barrier, refused = threading.Barrier(2), []

    def leave(member: Membership) -> None:
        barrier.wait()
        try:
            remove_member(member=member, by="owner")
        except TaximeterError as error:
            refused.append(error.code)
        finally:
            connection.close()

    threads = [threading.Thread(target=leave, args=(owner,)) for owner in owners]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert refused == ["last_owner"]
    assert Membership.objects.filter(role=Role.OWNER).count() == 1
