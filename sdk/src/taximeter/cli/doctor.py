"""`taximeter doctor`."""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from datetime import datetime, timezone
from email.utils import parsedate_to_datetime
from typing import Any

from taximeter.cli.setting import Problem, add_server, add_spool, counted, find_spool, in_units, say
from taximeter.delivery.answers import Verdict
from taximeter.delivery.door import Door
from taximeter.environment import API_KEY, URL
from taximeter.errors import SpoolError
from taximeter.spool.directory import SpoolDirectory
from taximeter.spool.survey import survey
from taximeter.version import __version__

#: A finding: whether all is well (None: worth knowing), and what to say.
Finding = tuple[bool | None, str]


def add_to(commands: Any) -> None:
    parser = commands.add_parser(
        "doctor",
        help="find out what is wrong",
        description="Check the settings, the server, the key and the spool. Nothing is sent or changed.",
    )
    add_spool(parser)
    add_server(parser)
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    say(f"taximeter {__version__}, Python {sys.version.split()[0]}, {sys.platform}")
    is_well = True
    for verdict, text in [*_server(options), *_spool(options)]:
        is_well = is_well and verdict is not False
        say(f"  {'ok  ' if verdict else 'note' if verdict is None else 'FAIL'}  {text}")
    return 0 if is_well else 1


def _server(options: argparse.Namespace) -> Iterator[Finding]:
    url, key = options.url or os.environ.get(URL), options.api_key or os.environ.get(API_KEY)
    if not url:
        yield False, f"no server: set {URL}, for instance to https://taximeter.example"
    if not key:
        yield False, f"no API key: set {API_KEY} to one with the scope 'ingest'"
    if not url or not key:
        return
    try:
        door = Door(url, api_key=key, timeout=10)
    except ValueError as error:
        yield False, f"{URL}: {error}"
        return
    if url.startswith("http://") and not url.startswith(("http://127.", "http://localhost", "http://[::1]")):
        yield None, f"{url} is not encrypted: whoever is on the way can read the key"
    yield from _clock(door)
    answer = door.post([])  # no event: what comes back says whether the key may send any
    advice = {
        401: "the key is wrong or was revoked",
        402: "the server wants a payment first",
        403: "the key has not the scope 'ingest'",
        404: "there is no Taximeter at this address",
        429: "the server is busy",
    }
    if answer.verdict is Verdict.STORED:
        yield True, f"{door.url} takes events with this key"
    else:
        hint = advice.get(answer.status or 0)
        yield False, f"{answer.reason[:300]}{f' - {hint}' if hint else ''}"


def _clock(door: Door) -> Iterator[Finding]:
    """How far this machine's clock is from the server's: events carry its time."""
    try:
        with urllib.request.urlopen(f"{door.address}/healthz", timeout=10) as response:  # noqa: S310 - http or https
            date = response.headers.get("Date")
    except urllib.error.HTTPError as error:
        date = error.headers.get("Date")
    except OSError:
        return  # the next check says so
    if not date:
        return
    try:
        ahead = (datetime.now(timezone.utc) - parsedate_to_datetime(date)).total_seconds()
    except (TypeError, ValueError):
        return
    if abs(ahead) > 60:
        direction = "ahead of" if ahead > 0 else "behind"
        yield False, f"this machine's clock is {abs(ahead):.0f} seconds {direction} the server's: events carry its time"
    else:
        yield True, "this machine's clock and the server's agree"


def _spool(options: argparse.Namespace) -> Iterator[Finding]:
    try:
        path = find_spool(options)
    except Problem as problem:
        yield None, str(problem).rstrip(".")
        return
    if not path.exists():
        parent = next(one for one in path.absolute().parents if one.exists())
        usable = os.access(parent, os.W_OK)
        yield usable or False, f"{path} is not there yet, and {'can' if usable else 'cannot'} be made"
        return
    try:
        directory = SpoolDirectory(path)
        directory.make()
        _try_log(directory)
    except (SpoolError, OSError) as error:
        yield False, str(error)
        return
    yield True, f"{path} can be written and locked"
    free = shutil.disk_usage(path).free
    yield (True if free > 1 << 30 else None if free > 1 << 26 else False), f"{in_units(free)} are free on its disk"
    yield from _backlog(directory)


def _try_log(directory: SpoolDirectory) -> None:
    log = directory.new_log()
    log.remove()


def _backlog(directory: SpoolDirectory) -> Iterator[Finding]:
    logs = survey(directory)
    waiting = sum(log.waiting for log in logs)
    oldest = min((log.oldest for log in logs if log.oldest), default=None)
    age = _age(oldest)
    text = f"{counted(waiting, 'event')} waiting" + (f", the oldest for {age:.0f} seconds" if waiting else "")
    yield (True if age < 60 else None if age < 3600 else False), text
    left = sum(log.waiting for log in logs if not log.is_held)
    if left:
        yield None, f"{left:,} of them were left by processes that are gone: taximeter flush sends them"
    refused = sum(1 for _ in directory.refused())
    if refused:
        yield False, f"{counted(refused, 'event')} refused by the server: taximeter spool refused"
    lost = sum(int(entry.get("events", 0)) for entry in directory.losses())
    if lost:
        yield False, f"{counted(lost, 'event')} lost for want of room: taximeter spool losses"


def _age(moment: str | None) -> float:
    if not moment:
        return 0.0
    try:
        return time.time() - datetime.fromisoformat(moment.replace("Z", "+00:00")).timestamp()
    except ValueError:
        return 0.0
