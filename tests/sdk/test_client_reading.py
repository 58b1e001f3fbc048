"""The reading client against the real server: what was recorded and billed comes back typed and exact."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import httpx
import pytest
from taximeter import Client, HttpTransport, Meter
from taximeter.client import Conflict, Forbidden, Invalid, Listing, NotFound, Unauthenticated
from taximeter.client.endpoints import ListEndpoint, all_endpoints

from tests.sdk.pages import python_of, run
from tests.sdk.test_client_schema import answer_of, resolved
from tests.system import System, system_on

OCTOBER = {"start": datetime(2026, 10, 1, tzinfo=UTC), "end": datetime(2026, 11, 1, tzinfo=UTC)}
PRICES = [
    {"key": "base", "kind": "fixed", "model": {"type": "flat", "amount": "10"}},
    {"key": "turns", "kind": "usage", "meter": "turns", "model": {"type": "per_unit", "unit_amount": "0.05"}},
]


@dataclass
class Vendor:
    """An organization with a customer whose October 2026 is billed: three turns at 0.05, and 10 a month."""

    system: System
    key: str

    def post(self, path: str, body: Any) -> dict[str, Any]:
        url, headers = f"{self.system.address}/api/v1/{path}", {"authorization": f"Bearer {self.key}"}
        answer = httpx.post(url, json=body, headers=headers, timeout=30)
        assert answer.status_code in {200, 201}, answer.text
        return answer.json()

    def get(self, path: str) -> list[dict[str, Any]]:
        url, headers = f"{self.system.address}/api/v1/{path}", {"authorization": f"Bearer {self.key}"}
        return httpx.get(url, headers=headers, timeout=30).json()["data"]

    def new_key(self, scope: str) -> str:
        return self.system.manage("create_api_key", "--organization", "vendor", "--scope", scope).stdout.strip()


@pytest.fixture(scope="module")
def vendor(services: Any, _system_template: None) -> Iterator[Vendor]:
    with system_on(services) as system:
        system.start("web")
        system.manage("create_organization", "Vendor")
        found = Vendor(system, key="")
        found.key = found.new_key("admin")
        for key in ("acme", "zeta"):
            found.post("customers", {"key": key, "tax_rate": "0.19"})
        found.post("plans", {"key": "starter", "currency": "USD", "prices": PRICES})
        start = {"starts_at": "2026-10-01T00:00:00Z"}
        found.post("subscriptions", {"customer": "acme", "plan": "starter", **start})
        _record(system.address, found.key)
        system.manage("close_month", "--month", "2026-10")
        found.post("subscriptions", {"customer": "zeta", "plan": "starter", "starts_at": "2026-11-01T00:00:00Z"})
        found.post("credit_grants", {"customer": "zeta", "name": "welcome", "amount": "50", "currency": "USD"})
        [invoice] = found.get("invoices")
        found.post(f"invoices/{invoice['id']}/pay", {"amount": "5", "method": "transfer", "reference": "r1"})
        [line] = [line for line in invoice["lines"] if line["price"] == "base"]
        credit = {"line": line["id"], "amount": "1"}
        found.post("credit_notes", {"invoice": invoice["id"], "reason": "goodwill", "lines": [credit]})
        yield found


def _record(address: str, key: str) -> None:
    times = iter(datetime(2026, 10, 3, 9, tzinfo=UTC) + timedelta(seconds=n) for n in range(100))
    meter = Meter(source="desk", transport=HttpTransport(address, api_key=key), clock=lambda: next(times))
    with meter.task("resolve", customer="acme", agent="support@3", task_id="ticket-1") as task:
        for tokens in (410, 12, 7):
            with task.turn() as turn:
                turn.inference(model="smollm2", input_tokens=tokens, output_tokens=58)
        task.succeed()


@pytest.fixture
def client(vendor: Vendor) -> Iterator[Client]:
    with Client(vendor.system.address, vendor.key) as client:
        yield client


def test_usage_is_what_was_recorded(client):
    assert client.usage("turns", **OCTOBER, customer="acme").quantity == Decimal(3)
    assert client.usage("turns", **OCTOBER, customer="zeta").quantity == 0
    by_day = client.usage("input_tokens", **OCTOBER, window="day", group_by=["model", "customer"])
    [row] = [row for row in by_day.rows if row.quantity]
    assert (row.customer, row.group, row.quantity) == ("acme", {"model": "smollm2"}, Decimal(429))
    assert (row.start, row.end) == (datetime(2026, 10, 3, tzinfo=UTC), datetime(2026, 10, 4, tzinfo=UTC))
    with pytest.raises(ValueError, match="rows"):
        _ = client.usage("turns", **OCTOBER, window="day").quantity


def test_an_invoice_leads_to_its_lines_and_their_events(client):
    [invoice] = client.invoices.list(customer="acme", month="2026-10")
    assert invoice == client.invoices.get(invoice.id)
    assert (invoice.status, invoice.currency, invoice.customer) == ("finalized", "USD", "acme")
    assert (invoice.subtotal, invoice.tax, invoice.total) == (Decimal("10.15"), Decimal("1.93"), Decimal("12.08"))
    assert (invoice.period_start, invoice.period_end) == (OCTOBER["start"], OCTOBER["end"])
    lines = {line.price: line for line in invoice.lines}
    assert (lines["turns"].quantity, lines["turns"].unit_amount) == (Decimal(3), Decimal("0.05"))
    events = list(client.invoices.events(invoice.id, lines["turns"].id, page_size=2))
    assert [event.type for event in events] == ["agent.turn"] * 3
    assert {event.data["task_id"] for event in events} == {"ticket-1"}
    assert client.invoices.late_usage(invoice.id) == ()


def test_customers_and_what_they_are_subscribed_to(client):
    assert [customer.key for customer in client.customers.list(page_size=1)] == ["acme", "zeta"]
    assert client.customers.get("acme").tax_rate == Decimal("0.19")
    [subscription] = client.subscriptions.list(customer="acme")
    assert client.subscriptions.get(subscription.id) == subscription
    assert (subscription.plan, subscription.plan_version, subscription.ends_at) == ("starter", 1, None)
    [upcoming] = client.customers.upcoming_invoices("zeta")
    assert upcoming.subtotal == Decimal(10)


def test_plans_and_meters(client):
    plan = client.plans.get("starter")
    assert [version.version for version in plan.versions] == [1]
    assert {price.key: price.model["type"] for price in plan.prices} == {"base": "flat", "turns": "per_unit"}
    meter = client.meters.get("input_tokens")
    assert (meter.aggregation, meter.value) == ("sum", "data.input_tokens")
    assert meter.key in [one.key for one in client.meters.list(page_size=2)]


def test_events_are_listed_by_what_they_say(client):
    calls = list(client.events.list(type="inference.call", task_id="ticket-1", page_size=2))
    assert [call.data["input_tokens"] for call in calls] == [7, 12, 410]
    assert calls[0].customer == "acme"
    assert client.events.list(customer="nobody").first() is None


def test_what_corrects_and_pays_an_invoice(client):
    [invoice] = client.invoices.list(customer="acme")
    [payment] = client.payments.list(invoice=invoice.id)
    assert client.payments.get(payment.id) == payment
    assert (payment.amount, payment.method, payment.refund_of) == (Decimal(5), "transfer", None)
    [note] = client.credit_notes.list(customer="acme")
    assert client.credit_notes.get(note.id) == note
    assert (note.subtotal, note.tax, note.total) == (Decimal(1), Decimal("0.19"), Decimal("1.19"))
    assert note.lines[0].amount == Decimal(1)


def test_prepaid_credit(client):
    [grant] = client.credit_grants.list(customer="zeta")
    assert client.credit_grants.get(grant.id) == grant
    assert (grant.amount, grant.balance, grant.currency) == (Decimal(50), Decimal(50), "USD")
    [balance] = client.customers.credit_balance("zeta").data
    assert (balance.available, balance.grants[0].grant) == (Decimal(50), grant.id)
    [movement] = client.customers.credit_movements("zeta")
    assert (movement.amount, movement.balance) == (Decimal(50), Decimal(50))


def test_the_books_balance(client):
    transactions = list(client.ledger.transactions(customer="acme"))
    assert transactions
    assert all(sum(entry.amount for entry in one.entries) == 0 for one in transactions)
    assert client.ledger.balances(customer="acme")
    assert client.ledger.trial_balance("2026-10").month == "2026-10"
    assert isinstance(client.ledger.revenue_schedule("2026-10", "2026-12"), tuple)


def test_a_task_with_what_it_took(client, vendor):
    vendor.system.manage("rebuild_task_summaries")
    [found] = client.tasks.list(customer="acme", outcome="succeeded")
    assert (found.id, found.outcome, found.turns, found.input_tokens) == ("ticket-1", "succeeded", 3, Decimal(429))
    assert len(client.tasks.get("ticket-1").tree) == 3
    costs = client.costs(**OCTOBER, group_by=["model"])
    assert [(row.group, row.calls, row.input_tokens) for row in costs.rows] == [({"model": "smollm2"}, 3, Decimal(429))]


def test_the_page_about_reading_tells_the_truth(vendor, monkeypatch, capsys):
    monkeypatch.setenv("TAXIMETER_URL", vendor.system.address)
    monkeypatch.setenv("TAXIMETER_API_KEY", vendor.key)
    text = "\n".join(python_of("docs/reading.md"))
    run(text.replace('Client("https://taximeter.example", api_key="tx_…")', "Client()"))
    printed = capsys.readouterr().out.splitlines()
    assert printed[0] == "3"
    assert printed[1] == "2026-10-03 smollm2 429"
    assert printed[2].endswith("acme 12.08 USD")
    assert "1 events; the next page is at None" in printed
    assert printed[-1].startswith("customer_not_found")


def test_a_refusal_says_what_and_where(client, vendor):
    with pytest.raises(NotFound) as missing:
        client.customers.get("nobody")
    assert missing.value.status == 404
    with pytest.raises(Invalid) as invalid:
        client.invoices.list(month="October").first()
    assert invalid.value.code == "month_invalid"
    with pytest.raises(Invalid) as unknown:
        client.usage("turns", **OCTOBER, where={"colour": "red"})
    assert unknown.value.errors[0].pointer == "/colour"
    with pytest.raises(Unauthenticated):
        Client(vendor.system.address, "tx_wrong").customers.list().first()
    with pytest.raises(Forbidden):
        Client(vendor.system.address, vendor.new_key("ingest")).customers.list().first()
    assert not issubclass(Conflict, NotFound)


def test_the_answers_hold_what_the_description_says_and_nothing_else(client, vendor):
    """Keeps the API's description true, which is what the client is checked against."""
    seen = set()
    for name, listing in _listings(client).items():
        endpoint = all_endpoints()[name]
        assert isinstance(endpoint, ListEndpoint)
        raw = client._connection.get(listing._path)["data"]
        described = answer_of(endpoint)["properties"]
        for one in raw:
            assert set(one) == set(described), name
            seen |= _check_nested(one, described)
    assert {"Price", "InvoiceLine"} <= seen


def _listings(client: Client) -> dict[str, Listing[Any]]:
    [invoice] = client.invoices.list(customer="acme")
    turns = next(line for line in invoice.lines if line.price == "turns")
    return {
        "CUSTOMERS": client.customers.list(),
        "SUBSCRIPTIONS": client.subscriptions.list(),
        "INVOICES": client.invoices.list(),
        "LINE_EVENTS": client.invoices.events(invoice.id, turns.id),
        "BILLING_RUNS": client.billing_runs.list(),
        "PLANS": client.plans.list(),
        "METERS": client.meters.list(),
        "EVENTS": client.events.list(),
    }


def _check_nested(one: dict[str, Any], described: dict[str, Any]) -> set[str]:
    seen = set()
    for name, node in described.items():
        if node.get("type") == "array" and "$ref" in node["items"]:
            seen.add(node["items"]["$ref"].rpartition("/")[2])
            for item in one[name]:
                assert set(item) == set(resolved(node["items"])["properties"]), name
    return seen
