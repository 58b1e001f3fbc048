"""What can be asked, by resource."""

from __future__ import annotations

import builtins
from collections.abc import Mapping
from datetime import datetime
from typing import TypeVar

from taximeter.client import endpoints, models
from taximeter.client.connection import Connection
from taximeter.client.decoding import decode
from taximeter.client.endpoints import Endpoint, ListEndpoint
from taximeter.client.listing import Listing
from taximeter.events import rfc3339

Answer = TypeVar("Answer")
Parameters = Mapping[str, "str | datetime | None"]

PAGE_SIZE = 100


class Resource:
    """Asks endpoints."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def _one(self, endpoint: Endpoint[Answer], /, parameters: Parameters | None = None, **references: str) -> Answer:
        answer = self._connection.get(endpoint.path_of(**references), written(parameters or {}))
        return decode(endpoint.answer, answer)

    def _list(
        self, endpoint: ListEndpoint[Answer], /, page_size: int, parameters: Parameters | None = None, **references: str
    ) -> Listing[Answer]:
        path = endpoint.path_of(**references)
        return Listing(self._connection, path, endpoint.answer, written(parameters or {}), page_size)


def written(parameters: Parameters) -> dict[str, str]:
    """Parameters as a query has them; a time without a zone raises `ValueError`."""
    given = {name: value for name, value in parameters.items() if value is not None}
    return {name: rfc3339(value) if isinstance(value, datetime) else value for name, value in given.items()}


class Customers(Resource):
    def list(self, *, page_size: int = PAGE_SIZE) -> Listing[models.Customer]:
        return self._list(endpoints.CUSTOMERS, page_size)

    def get(self, customer: str) -> models.Customer:
        """A customer by its key or id."""
        return self._one(endpoints.CUSTOMER, customer=customer)

    def upcoming_invoices(self, customer: str) -> builtins.list[models.UpcomingInvoice]:
        """What each subscription's open period would cost if it ended now; `NotFound` where there is none."""
        first = self._one(endpoints.UPCOMING_INVOICES, customer=customer)
        return [first, *first.others]

    def credit_balance(self, customer: str) -> models.CreditBalances:
        """What the customer's prepaid credit still holds."""
        return self._one(endpoints.CREDIT_BALANCE, customer=customer)

    def credit_movements(self, customer: str, *, page_size: int = PAGE_SIZE) -> Listing[models.CreditMovement]:
        """Every change of the customer's prepaid credit."""
        return self._list(endpoints.CREDIT_MOVEMENTS, page_size, customer=customer)


class Subscriptions(Resource):
    def list(self, *, customer: str | None = None, page_size: int = PAGE_SIZE) -> Listing[models.Subscription]:
        return self._list(endpoints.SUBSCRIPTIONS, page_size, {"customer": customer})

    def get(self, subscription: str) -> models.Subscription:
        return self._one(endpoints.SUBSCRIPTION, subscription=subscription)

    def coupons(self, subscription: str) -> tuple[models.Redemption, ...]:
        """The coupons that were redeemed on a subscription."""
        return self._one(endpoints.SUBSCRIPTION_COUPONS, subscription=subscription).data


class Invoices(Resource):
    def list(
        self,
        *,
        customer: str | None = None,
        status: str | None = None,
        month: str | None = None,
        page_size: int = PAGE_SIZE,
    ) -> Listing[models.Invoice]:
        """Invoices with their lines. `status` such as `finalized`, `month` such as `2026-10`."""
        return self._list(endpoints.INVOICES, page_size, {"customer": customer, "status": status, "month": month})

    def get(self, invoice: str) -> models.Invoice:
        return self._one(endpoints.INVOICE, invoice=invoice)

    def events(self, invoice: str, line: str, *, page_size: int = 1000) -> Listing[models.UsageEvent]:
        """The usage events behind a line."""
        return self._list(endpoints.LINE_EVENTS, page_size, invoice=invoice, line=line)

    def late_usage(self, invoice: str) -> tuple[models.UnbilledChange, ...]:
        """The lines whose usage has changed since the invoice was issued."""
        return self._one(endpoints.INVOICE_LATE_USAGE, invoice=invoice).data


class Plans(Resource):
    def list(self, *, page_size: int = PAGE_SIZE) -> Listing[models.Plan]:
        return self._list(endpoints.PLANS, page_size)

    def get(self, plan: str) -> models.Plan:
        """A plan with all its versions."""
        return self._one(endpoints.PLAN, plan=plan)

    def entitlements(self, plan: str, version: int) -> models.Entitlements:
        """The features that a version of a plan has."""
        return self._one(endpoints.ENTITLEMENTS, plan=plan, version=str(version))


class Meters(Resource):
    def list(self, *, page_size: int = PAGE_SIZE) -> Listing[models.Meter]:
        return self._list(endpoints.METERS, page_size)

    def get(self, meter: str) -> models.Meter:
        return self._one(endpoints.METER, meter=meter)


class Events(Resource):
    def list(
        self,
        *,
        customer: str | None = None,
        type: str | None = None,
        agent: str | None = None,
        task_id: str | None = None,
        sent_by: str | None = None,
        start: datetime | None = None,
        end: datetime | None = None,
        page_size: int = PAGE_SIZE,
    ) -> Listing[models.UsageEvent]:
        """Recorded events, `start` ≤ time < `end`, the newest first."""
        return self._list(
            endpoints.EVENTS,
            page_size,
            {
                "customer": customer,
                "type": type,
                "agent": agent,
                "task_id": task_id,
                "sent_by": sent_by,
                "from": start,
                "to": end,
            },
        )


class BillingRuns(Resource):
    def list(self, *, page_size: int = PAGE_SIZE) -> Listing[models.BillingRun]:
        return self._list(endpoints.BILLING_RUNS, page_size)

    def get(self, run: str) -> models.BillingRun:
        return self._one(endpoints.BILLING_RUN, run=run)


class Agents(Resource):
    def list(self, *, page_size: int = PAGE_SIZE) -> Listing[models.Agent]:
        return self._list(endpoints.AGENTS, page_size)

    def get(self, agent: str) -> models.Agent:
        return self._one(endpoints.AGENT, agent=agent)


class CostRates(Resource):
    def list(
        self, *, provider: str | None = None, model: str | None = None, page_size: int = PAGE_SIZE
    ) -> Listing[models.CostRate]:
        """What models and a second of computing cost: the organization's own rates, and known prices."""
        return self._list(endpoints.COST_RATES, page_size, {"provider": provider, "model": model})


class Tasks(Resource):
    def list(
        self,
        *,
        customer: str | None = None,
        agent: str | None = None,
        outcome: str | None = None,
        start: datetime | None = None,
        end: datetime | None = None,
        page_size: int = PAGE_SIZE,
    ) -> Listing[models.TaskSummary]:
        """Tasks with what they took, those that began in `start` ≤ t < `end`."""
        return self._list(
            endpoints.TASKS,
            page_size,
            {"customer": customer, "agent": agent, "outcome": outcome, "from": start, "to": end},
        )

    def get(self, task_id: str) -> models.TaskTrace:
        """A task with its turns, decisions and calls."""
        return self._one(endpoints.TASK, task_id=task_id)


class CreditGrants(Resource):
    def list(self, *, customer: str | None = None, page_size: int = PAGE_SIZE) -> Listing[models.CreditGrant]:
        return self._list(endpoints.CREDIT_GRANTS, page_size, {"customer": customer})

    def get(self, grant: str) -> models.CreditGrant:
        return self._one(endpoints.CREDIT_GRANT, grant=grant)


class PricingUnits(Resource):
    def list(self, *, page_size: int = PAGE_SIZE) -> Listing[models.PricingUnit]:
        return self._list(endpoints.PRICING_UNITS, page_size)

    def get(self, unit: str) -> models.PricingUnit:
        return self._one(endpoints.PRICING_UNIT, unit=unit)


class Coupons(Resource):
    def list(self, *, page_size: int = PAGE_SIZE) -> Listing[models.Coupon]:
        return self._list(endpoints.COUPONS, page_size)

    def get(self, coupon: str) -> models.Coupon:
        return self._one(endpoints.COUPON, coupon=coupon)


class Charges(Resource):
    def list(
        self, *, customer: str | None = None, status: str | None = None, page_size: int = PAGE_SIZE
    ) -> Listing[models.Charge]:
        """What was charged by hand."""
        return self._list(endpoints.CHARGES, page_size, {"customer": customer, "status": status})

    def get(self, charge: str) -> models.Charge:
        return self._one(endpoints.CHARGE, charge=charge)


class LateUsage(Resource):
    def list(self, *, resolution: str | None = None, page_size: int = PAGE_SIZE) -> Listing[models.LateUsage]:
        """Usage that came after its invoice, and what became of it."""
        return self._list(endpoints.LATE_USAGE, page_size, {"resolution": resolution})


class CreditNotes(Resource):
    def list(
        self, *, customer: str | None = None, invoice: str | None = None, page_size: int = PAGE_SIZE
    ) -> Listing[models.CreditNote]:
        return self._list(endpoints.CREDIT_NOTES, page_size, {"customer": customer, "invoice": invoice})

    def get(self, credit_note: str) -> models.CreditNote:
        return self._one(endpoints.CREDIT_NOTE, credit_note=credit_note)


class Payments(Resource):
    def list(
        self, *, customer: str | None = None, invoice: str | None = None, page_size: int = PAGE_SIZE
    ) -> Listing[models.Payment]:
        return self._list(endpoints.PAYMENTS, page_size, {"customer": customer, "invoice": invoice})

    def get(self, payment: str) -> models.Payment:
        return self._one(endpoints.PAYMENT, payment=payment)


class Ledger(Resource):
    def transactions(
        self,
        *,
        customer: str | None = None,
        account: str | None = None,
        kind: str | None = None,
        start: datetime | None = None,
        end: datetime | None = None,
        page_size: int = PAGE_SIZE,
    ) -> Listing[models.LedgerTransaction]:
        """Postings of `start` ≤ t < `end`, each balanced."""
        return self._list(
            endpoints.LEDGER_TRANSACTIONS,
            page_size,
            {"customer": customer, "account": account, "kind": kind, "from": start, "to": end},
        )

    def balances(self, *, customer: str | None = None, at: datetime | None = None) -> tuple[models.AccountBalance, ...]:
        """What each account holds, at an instant or now."""
        return self._one(endpoints.LEDGER_BALANCES, {"customer": customer, "at": at}).data

    def trial_balance(self, month: str) -> models.TrialBalance:
        """All accounts over a month such as `2026-10`."""
        return self._one(endpoints.TRIAL_BALANCE, {"month": month})

    def revenue_schedule(self, start: str, end: str, *, customer: str | None = None) -> tuple[models.RevenueMonth, ...]:
        """Revenue by month, recognized and still to come."""
        return self._one(endpoints.REVENUE_SCHEDULE, {"from": start, "to": end, "customer": customer}).data
