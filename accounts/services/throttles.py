"""How often something may be tried: after a few times in vain, each further try has to wait twice as long. And how
often something may be used: so many times at once, then as often as time passes."""

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

_TAKE = """
INSERT INTO accounts_throttle AS found (key, count, last_at) VALUES (%(key)s, 1, %(now)s)
ON CONFLICT (key) DO UPDATE SET last_at = EXCLUDED.last_at,
    count = CASE WHEN found.last_at < %(forgotten)s THEN 1 ELSE found.count + 1 END
WHERE found.last_at < %(forgotten)s OR found.count < %(free)s
    OR found.last_at + LEAST(%(first)s * 2 ^ LEAST(found.count - %(free)s, 10), %(longest)s) <= %(now)s
RETURNING count
"""

_STEPS = "GREATEST(FLOOR(EXTRACT(EPOCH FROM %(now)s - found.last_at) / %(step)s), 0)"
_USE = """
INSERT INTO accounts_throttle AS found (key, count, last_at) VALUES (%(key)s, 1, %(now)s)
ON CONFLICT (key) DO UPDATE SET count = GREATEST(found.count - {_STEPS}, 0) + 1,
    last_at = CASE WHEN {_STEPS} >= found.count THEN %(now)s
        ELSE found.last_at + {_STEPS} * %(step)s * INTERVAL '1 second' END
WHERE found.count - {_STEPS} < %(most)s
RETURNING count
""".replace("{_STEPS}", _STEPS)


class TooManyTries(ConflictError):
    """`wait` is how many seconds are left."""

    code = "too_many_tries"

    def __init__(self, wait: int) -> None:
        super().__init__(f"Too many tries. Wait {wait} second{'' if wait == 1 else 's'} and try again")
        self.wait = wait


def take_try(*, what: str, who: str, now: datetime) -> None:
    """One more try at `what`, which counts against `who` until `forget_tries`. Raises `TooManyTries` while it has to
    wait. However many come at once, no more get through."""
    values = {"key": _key(what, who), "now": now, "forgotten": now - FORGOTTEN, "free": FREE}
    with connection.cursor() as cursor:
        cursor.execute(_TAKE, values | {"first": FIRST_WAIT, "longest": LONGEST_WAIT})
        if cursor.fetchone() is not None:
            return
    found = Throttle.objects.filter(key=values["key"]).first()
    wait = LONGEST_WAIT if found is None else min(FIRST_WAIT * 2 ** min(max(found.count - FREE, 0), 10), LONGEST_WAIT)
    left = (found.last_at + wait - now).total_seconds() if found else 0
    raise TooManyTries(max(int(left), 0) + 1)


def take_use(*, what: str, who: str, most: int, within: timedelta, now: datetime) -> None:
    """One more use of `what` by `who`: `most` at once, and `most` more in each `within`, evenly. Raises `TooManyTries`,
    which counts for nothing. However many come at once, no more get through. `within` is a day at most."""
    key, step = _key(what, who), within.total_seconds() / most
    with connection.cursor() as cursor:
        cursor.execute(_USE, {"key": key, "now": now, "most": most, "step": step})
        if cursor.fetchone() is not None:
            return
    found = Throttle.objects.filter(key=key).first()
    raise TooManyTries(1 if found is None else 1 + max(int(step - (now - found.last_at).total_seconds() % step), 0))


def forget_tries(*, what: str, who: str) -> None:
    """It went well."""
    Throttle.objects.filter(key=_key(what, who)).delete()


def forget_old_tries(*, now: datetime) -> int:
    """Delete what counts no more; how many there were."""
    return Throttle.objects.filter(last_at__lt=now - FORGOTTEN).delete()[0]


def _key(what: str, who: str) -> str:
    return hashlib.sha256(f"{what}\n{who.strip().lower()}".encode(errors="replace")).hexdigest()
