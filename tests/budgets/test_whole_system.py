"""The web server, Celery's worker and beat as they run in production: what reaches a threshold is told of by itself,
once, and stops; also when the worker was killed before it could tell."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

from launcher.process import wait_until
from tests.notifications.conftest import Receiver, receiver
from tests.system import System
from tests.test_killed_anywhere import Vendor

__all__ = ["receiver"]

_numbers = itertools.count()


def turns(vendor: Vendor, number: int) -> None:
    events = [
        {
            "specversion": "1.0", "id": f"turn-{next(_numbers)}", "source": "test", "type": "agent.turn",
            "subject": "acme", "data": {"agent": "support"},
        }
        for _ in range(number)
    ]  # fmt: skip
    assert vendor.call("POST", "events", events)["accepted"] == number


def until(what: Callable[[], Any]) -> None:
    assert wait_until(lambda: bool(what()), seconds=90, interval=0.2), "it never came"


def percents(vendor: Vendor) -> list[str]:
    """What was reached, in its order."""
    return [one["percent"] for one in reversed(vendor.call("GET", "budgets/acme-turns/crossings")["data"])]


def check(vendor: Vendor) -> dict[str, Any]:
    return dict(vendor.call("POST", "entitlements/check", {"customer": "acme", "meter": "turns"}))


def letters(system: System) -> list[str]:
    """The mails that were written to files, without a mail server."""
    return sorted(path.name for path in (system.var / "mail").glob("*.eml"))


def test_a_threshold_mails_calls_and_stops_once_whatever_dies(system: System, receiver: Receiver) -> None:
    system.start("web", "worker", "beat")
    vendor = Vendor(system)
    vendor.call("POST", "customers", {"key": "acme"})
    listened = {"url": receiver.url, "event_types": ["budget.threshold_reached"]}
    assert "id" in vendor.call("POST", "webhook_endpoints", listened)
    thresholds = [
        {"percent": "80", "actions": ["mail", "webhook"], "recipients": ["ops@vendor.example"]},
        {"percent": "100", "actions": ["webhook", "stop"]},
    ]
    body = {
        "key": "acme-turns", "scope": "customer", "customer": "acme", "measure": {"meter": "turns"}, "amount": "10",
        "period": "total", "thresholds": thresholds,
    }  # fmt: skip
    assert vendor.call("POST", "budgets", body)["state"]["used"] == "0"

    turns(vendor, 8)
    until(lambda: len(receiver.received) == 1 and len(letters(system)) == 1)
    first = receiver.received[0].payload
    assert first["type"] == "budget.threshold_reached"
    assert {name: first["data"][name] for name in ("key", "customer", "percent", "used")} == {
        "key": "acme-turns", "customer": "acme", "percent": "80", "used": "8",
    }  # fmt: skip
    assert percents(vendor) == ["80"]
    assert check(vendor)["remaining"] == "2"

    system.kill("worker")
    turns(vendor, 3)
    system.start("worker")
    until(lambda: len(receiver.received) == 2)
    assert receiver.received[1].payload["data"]["percent"] == "100"
    assert percents(vendor) == ["80", "100"]
    assert check(vendor)["reason"] == "budget_stopped"
    turns(vendor, 1)
    until(lambda: vendor.call("GET", "budgets/acme-turns")["state"]["used"] == "12")
    assert percents(vendor) == ["80", "100"]
    assert (len(receiver.received), len(letters(system))) == (2, 1)
