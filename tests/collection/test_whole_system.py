"""The web server, Celery's worker and beat as they run in production, with `kill -9` for the worker in the middle of a
charge: the webhook tells what became of it, and money has moved once."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.collection.stripe_fake import StripeFake
from tests.collection.stripe_fake.server import KEY, SECRET
from tests.system import System
from tests.test_killed_anywhere import Vendor

CHARGE = "POST /v1/payment_intents"


def until(what: Callable[[], Any], *, seconds: float = 120) -> Any:
    """What `what` answers once it is something."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if found := what():
            return found
        time.sleep(0.3)
    raise AssertionError("it never came")


def tell(system: System, fake: StripeFake, path: str) -> None:
    """Stripe sends all its events, twice."""
    for event in [*fake.events, *fake.events]:
        body, signature = fake.signed(event)
        headers = {"stripe-signature": signature, "content-type": "application/json"}
        assert httpx.post(f"{system.address}{path}", content=body, headers=headers, timeout=30).status_code == 200


def kill_with_children(system: System, name: str) -> None:
    """The worker's children do the work: they die first, so that none comes to hear the answer."""
    for status in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            parent = status.read_text().rpartition(")")[2].split()[1]
            if int(parent) == system.pid(name):
                os.kill(int(status.parent.name), signal.SIGKILL)
    system.kill(name)


def test_a_worker_killed_while_it_charges_leaves_one_payment(system: System, monkeypatch: pytest.MonkeyPatch) -> None:
    fake = StripeFake()
    monkeypatch.setenv("TAXIMETER_STRIPE_API_BASE", fake.address)
    try:
        system.start("web", "worker", "beat")
        vendor = Vendor(system)
        hook = vendor.call("PUT", "stripe_account", {"api_key": KEY, "webhook_secret": SECRET})["webhook_url"]
        path = "/webhooks" + hook.split("/webhooks")[1]
        vendor.call("PATCH", "collection_policy", {"is_active": True, "provider": "stripe"})
        vendor.call("POST", "customers", {"key": "acme", "currency": "USD"})
        vendor.call("POST", "customers/acme/payment_setup_link", {})
        fake.fill_in_page(next(iter(fake.tables["checkout.session"])))
        tell(system, fake, path)
        until(lambda: vendor.call("GET", "customers/acme/payment_details")["payment_method"])
        with fake.holding(CHARGE, "after") as hold:
            vendor.call(
                "POST", "charges", {"customer": "acme", "description": "Work", "unit_amount": "100", "when": "now"}
            )
            assert hold.reached.wait(120), "nobody charged it"
            kill_with_children(system, "worker")
        [invoice] = vendor.call("GET", "invoices?customer=acme")["data"]
        assert invoice["status"] == "finalized"
        tell(system, fake, path)
        system.start("worker")
        until(lambda: vendor.call("GET", f"invoices/{invoice['id']}")["status"] == "paid")
        assert fake.received(invoice["id"]) == 10000
        [payment] = vendor.call("GET", f"payments?invoice={invoice['id']}")["data"]
        vendor.call("POST", f"payments/{payment['id']}/refund", {"amount": "40"})
        until(lambda: fake.kept(invoice["id"]) == 6000)
        until(lambda: vendor.call("GET", "provider_calls?kind=refund&state=succeeded")["data"])
        [call] = vendor.call("GET", f"provider_calls?invoice={invoice['id']}&kind=charge")["data"]
        assert call["state"] == "succeeded"
        assert "vendor: 2 compared, 0 differences" in system.manage("reconcile_payments").stdout
    finally:
        fake.stop()
