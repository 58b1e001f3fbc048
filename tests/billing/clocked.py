"""A vendor whose customers live by a test clock: what falls due is issued by moving it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tests.api import Api


def fee(amount: str, **changes: Any) -> dict[str, Any]:
    return {"key": "base", "kind": "fixed", "model": {"type": "flat", "amount": amount}} | changes


def usage(unit_amount: str, **changes: Any) -> dict[str, Any]:
    model = {"type": "per_unit", "unit_amount": unit_amount}
    return {"key": "turns", "kind": "usage", "meter": "turns", "model": model} | changes


@dataclass
class Clocked:
    api: Api
    clock: str

    @classmethod
    def at(cls, api: Api, now: str) -> Clocked:
        return cls(api, api.post("test_clocks", {"now": now}).json()["id"])

    def customer(self, key: str, **fields: Any) -> None:
        self.api.customer(key, test_clock=self.clock, **fields)

    def plan(self, key: str, *prices: dict[str, Any], **fields: Any) -> None:
        answer = self.api.post("plans", {"key": key, "currency": "USD", "prices": list(prices)} | fields)
        assert answer.status_code == 201, answer.content

    def subscribe(self, customer: str, plan: str, starts_at: str = "2026-10-01T00:00:00Z", **fields: Any) -> str:
        body = {"customer": customer, "plan": plan, "starts_at": starts_at} | fields
        answer = self.api.post("subscriptions", body)
        assert answer.status_code == 201, answer.content
        return str(answer.json()["id"])

    def turns(self, customer: str, number: int, time: str) -> None:
        event = {"specversion": "1.0", "source": "test", "type": "agent.turn", "subject": customer, "time": time}
        events = [event | {"id": f"{customer}-{time}-{n}", "data": {"task_id": str(n)}} for n in range(number)]
        assert self.api.post("events", events).json()["accepted"] == number

    def advance(self, to: str) -> None:
        answer = self.api.post(f"test_clocks/{self.clock}/advance", {"to": to})
        assert answer.status_code == 200, answer.content

    def invoices(self, **filters: str) -> list[dict[str, Any]]:
        return list(self.api.get("invoices", **filters).json()["data"])

    def upcoming(self, customer: str) -> dict[str, Any]:
        answer = self.api.get(f"customers/{customer}/upcoming_invoice")
        assert answer.status_code == 200, answer.content
        return dict(answer.json())
