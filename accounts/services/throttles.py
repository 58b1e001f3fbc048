"""How often something may be tried: after a few times in vain, each further try has to wait twice as long."""

from __future__ import annotations

import hashlib
from datetime import datetime, timedelta

from django.db import connection

from accounts.models import Throttle
from kernel.errors import ConflictError

#: So many tries are free; the next has to wait for `FIRST_WAIT`, and each further one twice as long.
FREE = 5
FIRST_WAIT = timedelta(seconds=15)
LONGEST_WAIT = timedelta(minutes=15)
#: After so long without a try, all is forgotten.
FORGOTTEN = timedelta(hours=24)

_COUNT = """
INSERT INTO accounts_throttle (key, count, last_at) VALUES (%s, 1, %s)
ON CONFLICT (key) DO UPDATE SET last_at = EXCLUDED.last_at,
    count = CASE WHEN accounts_throttle.last_at < %s THEN 1 ELSE accounts_throttle.count + 1 END
"""


class TooManyTries(ConflictError):
    """`wait` is how many seconds are left."""

    code = "too_many_tries"

    def __init__(self, wait: int) -> None:
        super().__init__(f"Too many tries. Wait {wait} second{'' if wait == 1 else 's'} and try again")
        self.wait = wait


def require_try(*, what: str, who: str, now: datetime) -> None:
    """Raises `TooManyTries` while the next try at `what` by `who` has to wait."""
    found = Throttle.objects.filter(key=_key(what, who)).first()
    if found is None or found.count < FREE or found.last_at < now - FORGOTTEN:
        return
    wait = min(FIRST_WAIT * 2 ** min(found.count - FREE, 10), LONGEST_WAIT)
    left = (found.last_at + wait - now).total_seconds()
    if left > 0:
        raise TooManyTries(int(left) + 1)


def count_try(*, what: str, who: str, now: datetime) -> None:
    """One more try at `what` that counts against `who`."""
    with connection.cursor() as cursor:
        cursor.execute(_COUNT, [_key(what, who), now, now - FORGOTTEN])


def forget_tries(*, what: str, who: str) -> None:
    """It went well."""
    Throttle.objects.filter(key=_key(what, who)).delete()


def forget_old_tries(*, now: datetime) -> int:
    """Delete what counts no more; how many there were."""
    return Throttle.objects.filter(last_at__lt=now - FORGOTTEN).delete()[0]


def _key(what: str, who: str) -> str:
    return hashlib.sha256(f"{what}\n{who.strip().lower()}".encode(errors="replace")).hexdigest()
