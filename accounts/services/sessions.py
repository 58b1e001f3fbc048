"""Sessions of a person: listed, and ended one by one."""

from __future__ import annotations

from datetime import datetime

from django.db import transaction
from django.db.models import QuerySet

from accounts.models import Session, User
from accounts.services.two_factor import record_person
from accounts.sessions import hash_key
from kernel.errors import NotFoundError


class SessionNotFound(NotFoundError):
    code = "session_not_found"


def sessions_of(user: User, *, now: datetime) -> QuerySet[Session]:
    """The sessions in which `user` is signed in at `now`, last used first."""
    return Session.working(now).filter(user=user).order_by("-last_seen_at", "public_id")


def is_session(session: Session, key: str | None) -> bool:
    """Whether the cookie's `key` opens this session."""
    return bool(key) and session.key_hash == hash_key(key)


def is_known_address(*, email: str, address: str | None, now: datetime) -> bool:
    """Whether a session of this person was last used from `address`, and still works."""
    return address is not None and Session.working(now).filter(user__email=email, address=address).exists()


def end_session(*, user: User, session: str) -> None:
    """End one session of `user` at once. Raises `SessionNotFound`; the audit trail says who ended it."""
    with transaction.atomic():
        if not Session.objects.filter(user=user, public_id=session).delete()[0]:
            raise SessionNotFound("This session has ended already")
        record_person(user, "person.end_session")


def delete_expired_sessions(*, now: datetime) -> int:
    """Delete sessions that are over; how many there were."""
    return Session.delete_expired(now)
