"""What the demo sells, and to whom."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Any

ORGANIZATION_NAME, ORGANIZATION_KEY = "Demo", "demo"
#: What stands on the demo's invoices. Nobody is taxed, and nobody has to be.
SELLER = {
    "legal_name": "Demo Agents Inc.",
    "line1": "500 Example Street",
    "city": "Springfield",
    "region": "IL",
    "postal_code": "62701",
    "country": "US",
    "registration": "Illinois 00000000",
    "email": "billing@demo.example",
    "color": "#b7791f",
}
RECORDED_AGENT = "airline-service@gpt-4o"


def _per_unit(key: str, name: str, meter: str, unit_amount: str, **more: str) -> dict[str, Any]:
    model = {"type": "per_unit", "unit_amount": unit_amount}
    return {"key": key, "name": name, "kind": "usage", "meter": meter, "model": model, **more}


PLANS: dict[str, tuple[str, list[dict[str, Any]]]] = {
    "seat": (
        "Seats",
        [{"key": "seats", "name": "Seat", "kind": "seat", "model": {"type": "per_unit", "unit_amount": "30"}}],
    ),
    "compute-time": (
        "Compute time",
        [
            {
                "key": "compute",
                "name": "Processor seconds",
                "kind": "usage",
                "meter": "compute_seconds",
                "model": {
                    "type": "graduated",
                    "tiers": [{"up_to": "10", "unit_amount": "0.05"}, {"up_to": None, "unit_amount": "0.03"}],
                },
            }
        ],
    ),
    "agent-activity": (
        "Agent activity",
        [
            _per_unit("turns", "Turns", "turns", "0.05"),
            _per_unit("decisions", "Decisions", "decisions", "0.01"),
            _per_unit("succeeded", "Succeeded tasks", "succeeded_tasks", "0.99"),
        ],
    ),
    "hybrid": (
        "Hybrid",
        [
            {"key": "base", "name": "Base fee", "kind": "fixed", "model": {"type": "flat", "amount": "49"}},
            _per_unit("turns", "Turns", "turns", "0.04", included="500"),
            _per_unit("compute", "Compute seconds", "compute_seconds", "0.002"),
        ],
    ),
}


@dataclass(frozen=True, slots=True)
class DemoCustomer:
    """A customer of the demo, and which agent works for it (None: its runs are imported)."""

    key: str
    name: str
    plan: str
    agent: str | None
    city: str
    country: str
    seats: int = 0


CUSTOMERS = (
    DemoCustomer("harbor-air", "Harbor Air", "seat", "message-router", "Boston", "US", seats=5),
    DemoCustomer("lumen-labs", "Lumen Labs", "compute-time", "issue-triage", "Berlin", "DE"),
    DemoCustomer("fjord-travel", "Fjord Travel", "agent-activity", "message-router", "Oslo", "NO"),
    DemoCustomer("quill-software", "Quill Software", "hybrid", "issue-triage", "Dublin", "IE"),
    DemoCustomer("meridian-air", "Meridian Air", "agent-activity", None, "Lisbon", "PT"),
)

#: What the demo watches: they tell, and stop nobody.
BUDGETS: tuple[dict[str, Any], ...] = (
    {
        "key": "all-turns",
        "name": "Turns of all customers",
        "measure": {"meter": "turns"},
        "amount": Decimal(20),
        "period": "month",
        "thresholds": [{"percent": "50", "actions": ["mail"]}, {"percent": "100", "actions": ["mail", "webhook"]}],
    },
    {
        "key": "fjord-turns",
        "name": "Turns of Fjord Travel",
        "scope": "customer",
        "customer": "fjord-travel",
        "measure": {"meter": "turns"},
        "amount": Decimal(6),
        "period": "month",
        "thresholds": [{"percent": "80", "actions": ["mail"]}],
    },
)
