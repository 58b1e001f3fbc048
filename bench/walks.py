"""Files that the two walks of a reader go through, and the moves between them.

    python -m bench walks

Money: an event is recorded, its month is closed, its invoice, line and the events behind it are read. Terms: a plan is
made, subscribed to, changed and billed. The walks are played over the API on an empty database, and every function of
the project that runs is noted (tests, migrations and the SDK left aside).

- files: how many files hold a function that ran;
- moves: how many pairs of functions in different files call each other, each pair once. That is what a reader follows.

Ceilings are in `CEILINGS`; more than that is an error, so that the walks do not grow unseen.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from types import FrameType
from typing import Any

from bench.setting import database

ROOT = Path(__file__).parent.parent
#: Rooms of the server; other files are libraries, migrations or the benchmark itself.
ROOMS = {one.parent.name for one in ROOT.glob("*/apps.py")} | {"kernel", "config", "rest"}
#: Files and moves of each walk that are allowed.
CEILINGS = {"money": (102, 316), "terms": (99, 329)}

NOW = datetime(2026, 11, 2, tzinfo=UTC)
FEE = {"key": "base", "kind": "fixed", "model": {"type": "flat", "amount": "49"}}
SEATS = {"key": "seats", "kind": "seat", "model": {"type": "per_unit", "unit_amount": "10"}}
TURNS = {"key": "turns", "kind": "usage", "meter": "turns", "model": {"type": "per_unit", "unit_amount": "0.04"}}


@dataclass
class Walk:
    """Functions that ran, by file, and the calls between files."""

    files: set[str] = field(default_factory=set)
    moves: set[tuple[str, str, str, str]] = field(default_factory=set)

    def note(self, frame: FrameType, event: str, _: Any) -> None:
        if event != "call" or (here := _ours(frame)) is None:
            return
        self.files.add(here)
        caller = frame.f_back
        while caller is not None and _ours(caller) is None:
            caller = caller.f_back
        there = _ours(caller) if caller is not None else None
        if caller is not None and there is not None and there != here:
            self.moves.add((there, caller.f_code.co_name, here, frame.f_code.co_name))


_known: dict[str, str | None] = {}


def _ours(frame: FrameType) -> str | None:
    """The file of a frame from the project's root, unless it is none of the rooms' or runs at import."""
    name = frame.f_code.co_filename
    if name not in _known:
        path = Path(name)
        inside = path.relative_to(ROOT).parts if path.is_relative_to(ROOT) else ("",)
        _known[name] = "/".join(inside) if inside[0] in ROOMS and "migrations" not in inside else None
    return None if frame.f_code.co_name == "<module>" else _known[name]


@contextmanager
def traced() -> Iterator[Walk]:
    walk = Walk()
    sys.setprofile(walk.note)
    try:
        yield walk
    finally:
        sys.setprofile(None)


def main(listed: int = 0) -> None:
    """With 1, the files of both walks are listed too."""
    with database():
        walks = {"money": _walk(_agent_plan, _money), "terms": _walk(_customer_on_a_clock, _terms)}
    over = False
    for name, walk in walks.items():
        files, moves = len(walk.files), len(walk.moves)
        most = CEILINGS[name]
        over |= files > most[0] or moves > most[1]
        print(f"{name}: {files} files (at most {most[0]}), {moves} moves between them (at most {most[1]})")
        if listed:
            by_room: dict[str, list[str]] = {}
            for file in sorted(walk.files):
                by_room.setdefault(file.split("/")[0], []).append(file.split("/", 1)[1])
            for room, inside in by_room.items():
                print(f"  {room} ({len(inside)}): {' '.join(inside)}")
    if over:
        sys.exit("A walk has become longer than its ceiling.")


def _walk(prepare: Callable[[Any], None], play: Callable[[Any], None]) -> Walk:
    """Play once untraced, so that what is set up only once is not counted, then traced for another vendor."""
    first, second = _Vendor(f"{play.__name__} first"), _Vendor(f"{play.__name__} second")
    prepare(first)
    play(first)
    prepare(second)
    with traced() as walk:
        play(second)
    return walk


class _Vendor:
    """A client of an organization's API."""

    clock = ""

    def __init__(self, name: str) -> None:
        from django.test import Client  # noqa: PLC0415 - Django is set up only now

        from accounts.facade import create_api_key, create_organization  # noqa: PLC0415

        self.organization = create_organization(name=name)
        _, secret = create_api_key(organization=self.organization, scopes=["admin"])
        self._client = Client(headers={"authorization": f"Bearer {secret}"})

    def post(self, path: str, body: Any) -> Any:
        answer = self._client.post(f"/api/v1/{path}", json.dumps(body), content_type="application/json")
        assert answer.status_code < 300, (path, answer.content)
        return answer.json()

    def get(self, path: str, **parameters: str) -> Any:
        answer = self._client.get(f"/api/v1/{path}", parameters)
        assert answer.status_code == 200, (path, answer.content)
        return answer.json()

    def close(self, month: str) -> None:
        """Close a month as the worker does, at once."""
        from billing.facade import close_month  # noqa: PLC0415
        from kernel.period import Month  # noqa: PLC0415

        close_month(organization=self.organization, month=Month.parse(month), now=NOW)


def _agent_plan(vendor: _Vendor) -> None:
    vendor.post("meters", {"key": "turns", "event_type": "agent.turn", "aggregation": "count"})
    vendor.post("customers", {"key": "acme"})
    vendor.post("plans", {"key": "agent", "currency": "USD", "prices": [FEE, TURNS]})
    vendor.post("subscriptions", {"customer": "acme", "plan": "agent", "starts_at": "2026-10-01T00:00:00Z"})


def _money(vendor: _Vendor) -> None:
    event = {"specversion": "1.0", "id": "1", "source": "walk", "type": "agent.turn", "subject": "acme"}
    vendor.post("events", [event | {"time": "2026-10-05T00:00:00Z", "data": {"task_id": "1"}}])
    from metering.facade import advance_projections  # noqa: PLC0415

    advance_projections()
    vendor.close("2026-10")
    [invoice] = vendor.get("invoices")["data"]
    found = vendor.get(f"invoices/{invoice['id']}")
    line = next(
        one for one in found["lines"] if one["description"] and one["quantity"] == "1" and one["price"] == "turns"
    )
    assert vendor.get(f"invoices/{invoice['id']}/lines/{line['id']}/events")["data"]


def _customer_on_a_clock(vendor: _Vendor) -> None:
    """A change is made now, so October is played on a test clock."""
    vendor.clock = vendor.post("test_clocks", {"now": "2026-10-01T00:00:00Z"})["id"]
    vendor.post("customers", {"key": "acme", "test_clock": vendor.clock})


def _terms(vendor: _Vendor) -> None:
    vendor.post("plans", {"key": "small", "currency": "USD", "prices": [FEE, SEATS]})
    vendor.post("plans", {"key": "large", "currency": "USD", "prices": [FEE | {"key": "large"}, SEATS]})
    body = {"customer": "acme", "plan": "small", "starts_at": "2026-10-01T00:00:00Z", "seats": 2}
    subscription = vendor.post("subscriptions", body)["id"]
    vendor.post(f"test_clocks/{vendor.clock}/advance", {"to": "2026-10-11T00:00:00Z"})
    vendor.post(f"subscriptions/{subscription}/change", {"seats": 3})
    vendor.post(f"test_clocks/{vendor.clock}/advance", {"to": "2026-10-21T00:00:00Z"})
    vendor.post(f"subscriptions/{subscription}/change", {"plan": "large"})
    vendor.post(f"test_clocks/{vendor.clock}/advance", {"to": "2026-11-02T00:00:00Z"})
    assert vendor.get("invoices")["data"]
