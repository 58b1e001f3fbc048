"""How often something may be tried: after a few times in vain, each further try has to wait twice as long. And how
often something may be used: so many times at once, then as often as time passes."""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import connection
from django.db.models import F

from accounts.models import Throttle
from kernel.errors import ConflictError

#: So many tries are free; the next has to wait for `FIRST_WAIT`, and each further one twice as long.
FREE = 5
FIRST_WAIT = timedelta(seconds=15)
LONGEST_WAIT = timedelta(minutes=15)
#: After so long without a try, all is forgotten.
FORGOTTEN = timedelta(hours=24)

#: About how many rows are kept at most, how many are deleted in one transaction, and how often one looks: with one of
#: so many new rows.
MOST_ROWS, PRUNED_AT_ONCE, LOOKED_AT_EVERY = 200_000, 5_000, 200
#: In an hour: wrong guesses of one client, wrong guesses about one account by clients that it does not know, and mails
#: to one account that strangers ask for.
GUESSES_OF_CLIENT, GUESSES_OF_ACCOUNT, MAILS_TO_ACCOUNT = 50, 30, 10
_HOUR = timedelta(hours=1)

_TAKE = """
INSERT INTO accounts_throttle AS found (key, count, last_at) VALUES (%(key)s, 1, %(now)s)
ON CONFLICT (key) DO UPDATE SET last_at = EXCLUDED.last_at,
    count = CASE WHEN found.last_at < %(forgotten)s THEN 1 ELSE found.count + 1 END
WHERE found.last_at < %(forgotten)s OR found.count < %(free)s
    OR found.last_at + LEAST(%(first)s * 2 ^ LEAST(found.count - %(free)s, 10), %(longest)s) <= %(now)s
RETURNING count, xmax = 0
"""

_STEPS = "GREATEST(FLOOR(EXTRACT(EPOCH FROM %(now)s - found.last_at) / %(step)s), 0)"
_USE = """
INSERT INTO accounts_throttle AS found (key, count, last_at) VALUES (%(key)s, 1, %(now)s)
ON CONFLICT (key) DO UPDATE SET count = GREATEST(found.count - {_STEPS}, 0) + 1,
    last_at = CASE WHEN {_STEPS} >= found.count THEN %(now)s
        ELSE found.last_at + {_STEPS} * %(step)s * INTERVAL '1 second' END
WHERE found.count - {_STEPS} < %(most)s
RETURNING count, xmax = 0
""".replace("{_STEPS}", _STEPS)


_OLDEST = """
DELETE FROM accounts_throttle WHERE key IN (
    SELECT key FROM accounts_throttle WHERE last_at < %s ORDER BY last_at LIMIT %s FOR UPDATE SKIP LOCKED)
"""
_LEAST = """
DELETE FROM accounts_throttle WHERE key IN (
    SELECT key FROM accounts_throttle ORDER BY count >= %s, last_at LIMIT %s FOR UPDATE SKIP LOCKED)
"""


class TooManyTries(ConflictError):
    """`wait` is how many seconds are left."""

    code = "too_many_tries"

    def __init__(self, wait: int) -> None:
        super().__init__(f"Too many tries. Wait {wait} second{'' if wait == 1 else 's'} and try again")
        self.wait = wait


def take_try(*, what: str, who: str, now: datetime) -> None:
    """One more try at `what`, which counts against `who` until `forget_tries`. Raises `TooManyTries` while it has to
    wait. However many come at once, no more get through."""
    values: dict[str, Any] = {"key": _key(what, who), "now": now, "forgotten": now - FORGOTTEN, "free": FREE}
    with connection.cursor() as cursor:
        cursor.execute(_TAKE, values | {"first": FIRST_WAIT, "longest": LONGEST_WAIT})
        if (taken := cursor.fetchone()) is not None:
            _keep_bounded(is_new=taken[1])
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
        if (taken := cursor.fetchone()) is not None:
            _keep_bounded(is_new=taken[1])
            return
    found = Throttle.objects.filter(key=key).first()
    raise TooManyTries(1 if found is None else 1 + max(int(step - (now - found.last_at).total_seconds() % step), 0))


def forget_tries(*, what: str, who: str) -> None:
    """It went well."""
    Throttle.objects.filter(key=_key(what, who)).delete()


@dataclass(frozen=True, slots=True)
class Client:
    """Who tries: `network` is the client as `rest.addresses.visitor_of` knows it, None where it cannot be told from
    others; `is_known` says that the person of the account has a session from the same address."""

    network: str | None = None
    is_known: bool = False


def take_guess(*, what: str, account: str, client: Client, now: datetime) -> None:
    """One more try to guess a secret of `account`, counted before the secret is looked at.

    Limited are the client with this account (`take_try`), the client with all accounts, and the account with all
    clients but those its person is known by: so no client holds up another, and many clients together get no further.
    Of a client that cannot be told from others, the account alone is limited. Raises `TooManyTries`.
    """
    if client.network is None:
        return take_try(what=what, who=account, now=now)
    take_try(what=what, who=f"{account}\n{client.network}", now=now)
    take_use(what=f"{what} of a client", who=client.network, most=GUESSES_OF_CLIENT, within=_HOUR, now=now)
    if not client.is_known:
        take_use(what=f"{what} of an account", who=account, most=GUESSES_OF_ACCOUNT, within=_HOUR, now=now)
    return None


def forget_guess(*, what: str, account: str, client: Client) -> None:
    """The guess was right, and counts for nothing; wrong ones of the client for other accounts still do."""
    if client.network is None:
        return forget_tries(what=what, who=account)
    forget_tries(what=what, who=f"{account}\n{client.network}")
    keys = [_key(f"{what} of a client", client.network), _key(f"{what} of an account", account)]
    Throttle.objects.filter(key__in=keys[: 1 if client.is_known else 2], count__gt=0).update(count=F("count") - 1)
    return None


def take_request(*, what: str, account: str, client: Client, now: datetime) -> None:
    """One more request for a mail to `account`, which is not told whether it exists. Limited as `take_guess`, and the
    mails to one account by whomever they are asked for. Raises `TooManyTries`."""
    if client.network is None:
        return take_try(what=what, who=account, now=now)
    take_try(what=what, who=f"{account}\n{client.network}", now=now)
    take_use(what=f"{what} of a client", who=client.network, most=GUESSES_OF_CLIENT, within=_HOUR, now=now)
    return take_use(what=f"{what} of an account", who=account, most=MAILS_TO_ACCOUNT, within=_HOUR, now=now)


def forget_old_tries(*, now: datetime) -> int:
    """Delete what no longer counts, in transactions of at most `PRUNED_AT_ONCE` rows; how many there were."""
    deleted = 0
    while found := _delete(_OLDEST, [now - FORGOTTEN, PRUNED_AT_ONCE]):
        deleted += found
    return deleted


def _keep_bounded(*, is_new: bool) -> None:
    """Hold the table to about `MOST_ROWS`: anyone may try any number of addresses. Rarely looked at, since it counts.

    Rows that make nobody wait go first, then the oldest. Those of one account return with its next tries, so an
    attacker gains a few of them for each `PRUNED_AT_ONCE` of other addresses.
    """
    if is_new and secrets.randbelow(LOOKED_AT_EVERY) == 0 and Throttle.objects.count() > MOST_ROWS:
        _delete(_LEAST, [FREE, PRUNED_AT_ONCE])


def _delete(statement: str, values: list[Any]) -> int:
    with connection.cursor() as cursor:
        cursor.execute(statement, values)
        return int(cursor.rowcount)


def _key(what: str, who: str) -> str:
    return hashlib.sha256(f"{what}\n{who.strip().lower()}".encode(errors="replace")).hexdigest()
