"""What can be asked, by resource."""

from __future__ import annotations

import builtins
from collections.abc import Mapping
from datetime import datetime
from typing import TypeVar

from taximeter.client import endpoints
from taximeter.client.connection import Connection
from taximeter.client.decoding import decode
from taximeter.client.endpoints import Endpoint, ListEndpoint
from taximeter.client.listing import Listing
from taximeter.client.models import (
    BillingRun,
    Customer,
    Invoice,
    LateUsage,
    Meter,
    Plan,
    Subscription,
    UpcomingInvoice,
    UsageEvent,
)
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
    def list(self, *, page_size: int = PAGE_SIZE) -> Listing[Customer]:
        return self._list(endpoints.CUSTOMERS, page_size)

    def get(self, customer: str) -> Customer:
        """A customer by its key or id."""
        return self._one(endpoints.CUSTOMER, customer=customer)

    def upcoming_invoices(self, customer: str) -> builtins.list[UpcomingInvoice]:
        """What each subscription's open period would cost if it ended now; `NotFound` where there is none."""
        first = self._one(endpoints.UPCOMING_INVOICES, customer=customer)
        return [first, *first.others]


class Subscriptions(Resource):
    def list(self, *, customer: str | None = None, page_size: int = PAGE_SIZE) -> Listing[Subscription]:
        return self._list(endpoints.SUBSCRIPTIONS, page_size, {"customer": customer})

    def get(self, subscription: str) -> Subscription:
        return self._one(endpoints.SUBSCRIPTION, subscription=subscription)


class Invoices(Resource):
    def list(
        self,
        *,
        customer: str | None = None,
        status: str | None = None,
        month: str | None = None,
        page_size: int = PAGE_SIZE,
    ) -> Listing[Invoice]:
        """Invoices with their lines. `status` such as `finalized`, `month` such as `2026-10`."""
        return self._list(endpoints.INVOICES, page_size, {"customer": customer, "status": status, "month": month})

    def get(self, invoice: str) -> Invoice:
        return self._one(endpoints.INVOICE, invoice=invoice)

    def events(self, invoice: str, line: str, *, page_size: int = 1000) -> Listing[UsageEvent]:
        """The usage events behind a line."""
        return self._list(endpoints.LINE_EVENTS, page_size, invoice=invoice, line=line)

    def late_usage(self, invoice: str) -> tuple[LateUsage, ...]:
        """The lines whose usage has changed since the invoice was issued."""
        return self._one(endpoints.LATE_USAGE, invoice=invoice).data


class Plans(Resource):
    def list(self, *, page_size: int = PAGE_SIZE) -> Listing[Plan]:
        return self._list(endpoints.PLANS, page_size)

    def get(self, plan: str) -> Plan:
        """A plan with all its versions."""
        return self._one(endpoints.PLAN, plan=plan)


class Meters(Resource):
    def list(self, *, page_size: int = PAGE_SIZE) -> Listing[Meter]:
        return self._list(endpoints.METERS, page_size)

    def get(self, meter: str) -> Meter:
        return self._one(endpoints.METER, meter=meter)


class Events(Resource):
    def list(
        self,
        *,
        customer: str | None = None,
        type: str | None = None,
        agent: str | None = None,
        task_id: str | None = None,
        start: datetime | None = None,
        end: datetime | None = None,
        page_size: int = PAGE_SIZE,
    ) -> Listing[UsageEvent]:
        """Recorded events, `start` ≤ time < `end`, the newest first."""
        return self._list(
            endpoints.EVENTS,
            page_size,
            {"customer": customer, "type": type, "agent": agent, "task_id": task_id, "from": start, "to": end},
        )


class BillingRuns(Resource):
    def list(self, *, page_size: int = PAGE_SIZE) -> Listing[BillingRun]:
        return self._list(endpoints.BILLING_RUNS, page_size)

    def get(self, run: str) -> BillingRun:
        return self._one(endpoints.BILLING_RUN, run=run)
