"""An organization with something for each parameter that addresses of the API have."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

from accounts.facade import add_member, create_user
from agents.facade import register_agent
from billing.facade import close_month, get_customer, get_plan, invoices_of, pay_invoice, subscribe
from collection.facade import record_bank_transfer
from exports.facade import create_schedule
from kernel.clock import system_clock
from kernel.period import Month
from tests.api import Api

START = datetime(2026, 10, 1, tzinfo=UTC)
CLOSING = datetime(2026, 11, 2, 6, tzinfo=UTC)


class Examples(dict[str, str]):
    """What only operations without a text are about needs no example."""

    def __missing__(self, name: str) -> str:
        return "x"


def addressed(api: Api) -> dict[str, str]:
    """Furnish the organization, and return an example for each parameter by its name."""
    organization = api.organization
    api.meter("turns", event_type="agent.turn", aggregation="count")
    api.customer("acme")
    fee = {"key": "base", "kind": "fixed", "model": {"type": "flat", "amount": "49"}}
    made = {"plan": api.post("plans", {"key": "p", "currency": "USD", "prices": [fee]})}
    customer = get_customer(organization_id=organization.pk, customer="acme")
    subscribe(customer=customer, plan=get_plan(organization_id=organization.pk, plan="p"), starts_at=START)
    close_month(organization=organization, month=Month(2026, 10), now=CLOSING)
    invoice = invoices_of(organization.pk).get()
    payment = pay_invoice(invoice=invoice, now=CLOSING, amount=Decimal(10))
    member = add_member(
        organization=organization,
        user=create_user(email="member@example.com", password="checker cab 1971"),
        role="viewer",
    )
    schedule = create_schedule(organization=organization, kinds=["invoices"], format="csv", now=system_clock())
    transfer = record_bank_transfer(
        organization_id=organization.pk, reference="1", text="", amount=Decimal(5), currency="USD",
        received_at=CLOSING, now=CLOSING,
    )  # fmt: skip
    register_agent(organization=organization, key="desk", version="1")
    budget = {"key": "cap", "measure": {"meter": "turns"}, "amount": "40", "period": "total", "thresholds": []}
    made |= {
        "budget": api.post("budgets", budget),
        "feature": api.post("features", {"key": "f", "name": "F", "meter": "turns"}),
        "coupon": api.post("coupons", {"key": "c", "percent": "10"}),
        "unit": api.post("pricing_units", {"key": "u", "currency": "USD", "rate": "1"}),
        "endpoint": api.post("webhook_endpoints", {"url": "http://127.0.0.1:9000/hooks"}),
        "test_clock": api.post("test_clocks", {"now": "2026-10-01T00:00:00Z"}),
    }
    subscription = api.get("subscriptions").json()["data"][0]["id"]
    found = {name: answer.json().get("key") or answer.json().get("id") for name, answer in made.items()}
    found |= {"invoice": invoice.pk, "subscription": subscription, "schedule": schedule.pk, "member": str(member.pk)}
    found |= {"payment": payment.pk if hasattr(payment, "pk") else "x", "transfer": transfer.pk}
    found |= {"meter": "turns", "customer": "acme", "agent": "desk", "task_id": "t", "version": "1"}
    return Examples(found)
