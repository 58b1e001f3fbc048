"""A customer with a marker in every text that the API takes for or about it, of whom everything has been run."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from uuid import uuid4

from django.core.mail import EmailMessage
from django.test import override_settings

from agents.models import TaskSummary
from billing.credits.charges import create_charge
from billing.facade import close_month, finalize_invoice, get_customer
from billing.models import Customer, Invoice
from exports.services.working import exports_to_work, work_export
from kernel.period import Month
from metering.facade import ingest
from notifications.sending.eml_files import EmailBackend
from tests.api import Api

MARKER = "zzqmarker"
#: In texts that belong to the books.
BOOKS = "zzqbooks"
KEY = "kunde-17"
OCTOBER = Month(2026, 10)
STARTED = datetime(2026, 10, 5, tzinfo=UTC)
NOW = datetime(2026, 11, 3, 12, tzinfo=UTC)

DETAILS: dict[str, Any] = {
    "name": f"{MARKER} Person",
    "email": f"{MARKER}@example.com",
    "address": {"name": f"{MARKER} Firm", "line1": f"{MARKER} Street 1", "city": "Berlin", "country": "DE"},
    "tax_id": f"DE{MARKER}",
    "metadata": {"note": f"{MARKER} in metadata"},
}


def event(number: int, type: str, **data: Any) -> dict[str, Any]:
    return {
        "specversion": "1.0", "id": f"{type}-{number}", "source": "test", "type": type, "subject": KEY,
        "time": f"2026-10-{number % 28 + 1:02d}T10:00:00Z", "data": data,
    }  # fmt: skip


def ok(answer: Any) -> Any:
    assert answer.status_code in (200, 201), answer.content
    return answer.json()


def furnish(api: Api) -> Customer:
    """Details that were others before, events of every kind, an issued and paid invoice, mail, webhooks, files."""
    ok(api.post("webhook_endpoints", {"url": "https://hooks.example.com/x"}))
    ok(api.post("customers", {"key": KEY, "name": f"{MARKER} Before", "email": f"{MARKER}.before@example.com"},
                **{"idempotency-key": "first"}))  # fmt: skip
    ok(api.patch(f"customers/{KEY}", DETAILS))
    ok(api.patch("privacy_policy", {"personal_fields": [{"event_type": "*", "path": "data.user_email"}]}))
    api.meter("turns", event_type="agent.turn", aggregation="count", dimensions={"agent": "data.agent"})
    api.meter("notes", event_type="agent.turn", aggregation="unique_count", value="data.mood",
              dimensions={"colour": "data.colour"})  # fmt: skip
    api.meter("people", event_type="agent.turn", aggregation="unique_count", value="data.user_email")
    turns = [
        event(n, "agent.turn", agent="support", task_id="t-1", user_email=f"{MARKER}{n % 2}@example.com",
              goal=f"{MARKER} goal",
              mood=f"{MARKER}{n % 3}", colour=f"{MARKER}{n % 2}", nested={"note": [f"{MARKER} deep", 0.10]})
        for n in range(6)
    ]  # fmt: skip
    tasks = [event(9, "agent.task", agent="support", task_id="t-1", goal=f"{MARKER} goal", outcome="succeeded")]
    assert ok(api.post("events", turns + tasks))["accepted"] == 7
    old = event(10, "agent.task", agent="support", goal=f"{MARKER} goal") | {"time": "2020-01-01T00:00:00Z"}
    with override_settings(EVENT_LOOK_BACK_DAYS=365):
        kept = ingest(organization_id=api.organization.pk, events=[old], received_at=NOW)
    assert [one.code for one in kept.quarantined or []] == ["time_too_old"]
    ok(api.post("events/void", {"source": "test", "id": "agent.turn-5", "reason": f"{MARKER} reason"}))
    # As the projection writes it, which sees no transaction that is under way.
    said = {"goal": f"{MARKER} goal", "agent": "support"}
    TaskSummary.objects.create(
        organization=api.organization, task_key=uuid4(), task_id="t-1", customer=KEY, goal=f"{MARKER} goal", said=said,
        ends={str(uuid4()): {"xid": 1, "counts": 1, "goal": f"{MARKER} goal"}}, started_at=NOW, latest_at=NOW,
    )  # fmt: skip
    price = {"key": "turns", "kind": "usage", "meter": "turns", "model": {"type": "per_unit", "unit_amount": "1"}}
    ok(api.post("plans", {"key": "plan", "currency": "USD", "prices": [price]}))
    ok(api.post("subscriptions", {"customer": KEY, "plan": "plan", "starts_at": "2026-10-01T00:00:00Z"}))
    customer = get_customer(organization_id=api.organization.pk, customer=KEY)
    create_charge(customer=customer, description=f"{BOOKS} by hand", unit_amount=Decimal(5), now=STARTED)
    ok(api.post("credit_grants", {"customer": KEY, "name": f"{MARKER} credit", "amount": "1", "currency": "USD"}))
    ok(api.post("budgets", {"key": "b", "name": f"{MARKER} budget", "scope": "customer", "customer": KEY,
                            "measure": {"money": "spend"}, "amount": "10", "period": "billing_period",
                            "thresholds": [{"percent": "50", "actions": ["mail"],
                                            "recipients": [f"{MARKER}@example.com"]}]}))  # fmt: skip
    ok(api.post("api_keys", {"name": f"{MARKER} key", "scopes": ["ingest"], "customer": KEY}))
    ok(api.post(f"customers/{KEY}/portal_link", {}))
    _bill(api)
    return get_customer(organization_id=api.organization.pk, customer=KEY)


def _bill(api: Api) -> None:
    close_month(organization=api.organization, month=OCTOBER, now=NOW)
    for invoice in Invoice.objects.filter(status="draft"):
        finalize_invoice(invoice=invoice, now=NOW)
    for invoice in Invoice.objects.filter(status="finalized", amount_due__gt=0):
        ok(api.post(f"invoices/{invoice.pk}/pay", {"reference": f"{BOOKS} reference"}))
    ok(api.post("exports", {"kind": "invoices", "month": "2026-10", "format": "json"}))
    for export in exports_to_work():
        assert work_export(export_id=export, now=NOW)
    EmailBackend().send_messages([EmailMessage("Hello", f"Dear {MARKER}", to=[f"{MARKER}@example.com"])])
