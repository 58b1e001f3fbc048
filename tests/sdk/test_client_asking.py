"""Asking before acting, against the real server with its worker and schedule."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx
import pytest
from taximeter import Client, Meter, SpoolTransport
from taximeter.client import Conflict, Forbidden, NotAllowed, NotFound

from launcher.process import wait_until
from tests.sdk.pages import python_of, run
from tests.system import System, system_on


@dataclass
class Vendor:
    """An organization whose customers acme and zeta are stopped at ten turns all in all."""

    system: System
    key: str = ""

    def new_key(self, scope: str) -> str:
        made = self.system.manage("create_api_key", "--organization", "vendor", "--scope", scope)
        return made.stdout.strip()

    def post(self, path: str, body: Any) -> None:
        url, headers = f"{self.system.address}/api/v1/{path}", {"authorization": f"Bearer {self.key}"}
        answer = httpx.post(url, json=body, headers=headers, timeout=30)
        assert answer.status_code == 201, answer.text

    def customer_with_ten_turns(self, key: str) -> None:
        self.post("customers", {"key": key})
        self.post(
            "budgets",
            {
                "key": f"{key}-turns", "scope": "customer", "customer": key, "measure": {"meter": "turns"},
                "amount": "10", "period": "total", "thresholds": [{"percent": "100", "actions": ["stop"]}],
            },
        )  # fmt: skip


@pytest.fixture(scope="module")
def vendor(services: Any, _system_template: None) -> Iterator[Vendor]:
    with system_on(services) as system:
        system.start("web", "worker", "beat")
        system.manage("create_organization", "Vendor")
        found = Vendor(system)
        found.key = found.new_key("admin")
        for key in ("acme", "brock", "dora", "zeta"):
            found.customer_with_ten_turns(key)
        yield found


@pytest.fixture
def client(vendor: Vendor) -> Iterator[Client]:
    with Client(vendor.system.address, vendor.key, check_timeout=30, on_unreachable="raise") as client:
        yield client


@pytest.fixture
def meter(vendor: Vendor, tmp_path: Path) -> Iterator[Meter]:
    transport = SpoolTransport(vendor.system.address, api_key=vendor.key, directory=tmp_path / "spool")
    meter = Meter(source="desk", transport=transport)
    yield meter
    assert meter.close(30)


def test_what_is_reserved_is_nobody_elses(client):
    assert client.check("acme", meter="turns", quantity=10).remaining == Decimal(10)
    held = client.reserve("acme", agent="support@3", meter="turns", quantity=7)
    assert held.verdict.remaining == Decimal(3)
    with pytest.raises(NotAllowed) as refused:
        client.reserve("acme", meter="turns", quantity=4)
    assert refused.value.reason == "limit_reached"
    assert refused.value.verdict.budget == client.budgets.get("acme-turns").id
    shown = client.reservations.get(held.id)
    assert (shown.state, shown.customer, shown.agent, shown.meter, shown.quantity) == (
        "held", "acme", "support", "turns", Decimal(7),
    )  # fmt: skip
    assert shown.expires_at == held.expires_at
    assert held.release().state == client.reservations.release(held.id).state == "released"
    assert client.check("acme", meter="turns", quantity=10)
    with pytest.raises(Conflict) as ended:
        held.commit()
    assert ended.value.code == "reservation_ended"


def test_a_reservation_of_the_same_name_is_one(client):
    first, second = (client.reserve("acme", meter="turns", idempotency_key="ticket-1") for _ in range(2))
    assert first.id == second.id
    assert client.budgets.get("acme-turns").state.held == Decimal(1)
    first.release()


def test_what_is_reserved_is_held_until_its_turn_is_out_of_the_spool(client, meter):
    with meter.task("resolve", customer="brock", agent="support@3") as task:
        with client.reserve("brock", agent="support@3", meter="turns", quantity=10) as held:
            with task.turn() as turn:
                turn.decision("tool", choice="refund")
            assert held.commit(quantity=1, events=[turn.event]).state in {"committed", "settled"}
        task.succeed()
    assert meter.flush(30)
    assert wait_until(lambda: client.reservations.get(held.id).state == "settled", seconds=60, interval=0.2)
    [budget] = client.budgets.list(customer="brock")
    assert (budget.state.used, budget.state.held, budget.state.remaining) == (Decimal(1), Decimal(0), Decimal(9))


def test_a_block_that_failed_gives_back_what_it_held(client):
    async def fail() -> None:
        async with await asyncio.to_thread(client.reserve, "dora", meter="turns", quantity=6):
            raise RuntimeError

    with pytest.raises(RuntimeError):
        asyncio.run(fail())
    with pytest.raises(RuntimeError), client.reserve("dora", meter="turns", quantity=6):
        raise RuntimeError
    assert client.budgets.get("dora-turns").state.held == 0


def test_a_key_that_may_not_ask_and_a_customer_nobody_knows_are_errors(client, vendor):
    with pytest.raises(NotFound) as unknown:
        client.check("nobody", meter="turns")
    assert unknown.value.code == "customer_not_found"
    with Client(vendor.system.address, vendor.new_key("ingest"), check_timeout=30) as agents:
        assert agents.check("zeta")
    with pytest.raises(Forbidden), Client(vendor.system.address, vendor.new_key("read"), check_timeout=30) as reader:
        reader.check("zeta")


def test_a_stopped_server_is_no_word_of_allowance(vendor):
    with Client("http://127.0.0.1:1", vendor.key, check_timeout=0.2) as client:
        assert client.check("zeta").reason == "unreachable"


def test_features_and_what_a_plan_has_of_them(client, vendor):
    prices = [{"key": "base", "kind": "fixed", "model": {"type": "flat", "amount": "10"}}]
    vendor.post("plans", {"key": "starter", "currency": "USD", "prices": prices})
    vendor.post("features", {"key": "work", "meter": "turns"})
    url = f"{vendor.system.address}/api/v1/plans/starter/versions/1/entitlements"
    body = {"entitlements": [{"feature": "work", "limit": "2", "period": "total"}]}
    httpx.put(url, json=body, headers={"authorization": f"Bearer {vendor.key}"}, timeout=30).raise_for_status()
    [entitlement] = client.plans.entitlements("starter", 1).entitlements
    assert (entitlement.feature, entitlement.limit, entitlement.hard) == ("work", Decimal(2), True)
    assert [feature.key for feature in client.features.list()] == [client.features.get("work").key]
    assert client.check("zeta", feature="work").reason == "no_subscription"
    assert client.budgets.crossings("zeta-turns").first() is None


def test_the_pages_about_asking_tell_the_truth(client, vendor, monkeypatch, tmp_path):
    for name, value in {"URL": vendor.system.address, "API_KEY": vendor.key, "SPOOL": str(tmp_path)}.items():
        monkeypatch.setenv(f"TAXIMETER_{name}", value)
    [guide] = python_of("docs/budgets.md")
    names = run(guide.replace('Client("https://taximeter.example", api_key="tx_…")', "Client(check_timeout=30)"))
    assert names["task"].outcome == "succeeded"
    assert client.reservations.get(names["held"].id).state in {"committed", "settled"}
    [example] = [one for one in python_of("sdk/README.md") if "client.reserve" in one]
    held = run(example.replace("Client()", "Client(check_timeout=30)"))["held"]
    assert client.reservations.get(held.id).quantity == Decimal(5)
    assert names["meter"].close(30)
