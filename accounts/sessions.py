"""Sessions of the console (`SESSION_ENGINE`), which their owner can list and end.

The cookie's key is kept as a hash, so that a copy of the database opens no session. A session ends
`SESSION_IDLE_SECONDS` after its last use and `SESSION_COOKIE_AGE` after sign-in, whatever happens meanwhile.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.contrib.auth import SESSION_KEY
from django.contrib.sessions.backends.base import CreateError, UpdateError
from django.contrib.sessions.backends.db import SessionStore as DatabaseStore
from django.db import IntegrityError, transaction

from accounts.secrets import hash_secret
from kernel.clock import system_clock

_SIGNED_IN = "accounts.signed_in_at"
#: How exact the last use is: it is written down at most this often.
_USE_NOTED_EVERY = timedelta(minutes=1)


class SessionStore(DatabaseStore):
    """`row` is the session's row, once it is loaded or saved; `is_new` says that this request created it."""

    model: Any
    row: Any = None
    is_new = False

    @classmethod
    def get_model_class(cls) -> Any:
        from accounts.models import Session  # noqa: PLC0415 - Django loads the engine before the models

        return Session

    def load(self) -> dict[str, Any]:
        """The session's data; none, and no key, for one that is unknown or over."""
        self.row = self.model.working(system_clock()).filter(key_hash=hash_key(self.session_key)).first()
        if self.row is None:
            self._session_key = None
            return {}
        return dict(self.decode(self.row.session_data))

    def exists(self, session_key: str) -> bool:
        return bool(self.model.objects.filter(key_hash=hash_key(session_key)).exists())

    def save(self, must_create: bool = False) -> None:
        """Write the data. Raises `UpdateError` for a session that was ended meanwhile: it is not created again."""
        if self.session_key is None:
            return self.create()
        data, now = getattr(self, "_get_session")(no_load=must_create), system_clock()  # noqa: B009 - Django's own
        began = datetime.fromisoformat(data[_SIGNED_IN]) if _SIGNED_IN in data else None
        values = {
            "session_data": self.encode(data),
            "user_id": data.get(SESSION_KEY),
            "signed_in_at": began,
            "expire_date": (began or now) + timedelta(seconds=settings.SESSION_COOKIE_AGE),
        }
        key_hash = hash_key(self.session_key)
        if not must_create:
            if not self.model.objects.filter(key_hash=key_hash).update(**values):
                raise UpdateError
            return None
        try:
            with transaction.atomic():
                self.row = self.model.objects.create(key_hash=key_hash, last_seen_at=now, **values)
        except IntegrityError:
            raise CreateError from None
        self.is_new = True
        return None

    def delete(self, session_key: str | None = None) -> None:
        key = session_key or self.session_key
        if key is not None:
            self.model.objects.filter(key_hash=hash_key(key)).delete()

    def note_use(self, *, address: str | None, user_agent: str) -> None:
        """Keep the session alive: its member has just used it, from `address`."""
        now, row = system_clock(), self.row
        if row is None or self.session_key is None:
            return
        is_moved = row.address is not None and (row.address != address or row.user_agent != user_agent)
        if self.is_new or is_moved or row.last_seen_at < now - _USE_NOTED_EVERY:
            seen = {"last_seen_at": now, "address": address, "user_agent": user_agent}
            self.model.objects.filter(key_hash=hash_key(self.session_key)).update(**seen)

    @classmethod
    def clear_expired(cls) -> None:
        """For `manage.py clearsessions`."""
        cls.get_model_class().delete_expired(system_clock())


def hash_key(session_key: str | None) -> str:
    """The hash that a session is found by."""
    return hash_secret(session_key or "").hex()


def note_sign_in(sender: Any, request: Any, user: Any, **_: Any) -> None:
    """Begin the absolute lifetime of a session (receiver of Django's `user_logged_in`)."""
    if hasattr(request, "session"):
        request.session[_SIGNED_IN] = system_clock().isoformat()
